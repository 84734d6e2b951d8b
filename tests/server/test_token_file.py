from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stream_ser.errors import ConfigError
from stream_ser.server.limits import SECOND_NS
from stream_ser.server.rejection import Refusal
from stream_ser.server.token_file import TokenFile, add, read
from stream_ser.server.tokens import Grant, NewToken, new_token

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


def opens(file: TokenFile, token: NewToken, second: float) -> bool:
    return isinstance(file.check(token.secret, "viewer", NOW, int(second * SECOND_NS)), Grant)


def test_tokens_come_and_go_without_a_restart(path: Path) -> None:
    old, new = new_token("acme", "viewer"), new_token("acme", "viewer")
    add(path, old)
    file = TokenFile(path, 0)
    assert opens(file, old, 0)
    add(path, new)
    assert not opens(file, new, 0.9)  # looked at once a second at most
    assert opens(file, new, 1)
    assert opens(file, old, 1)
    path.write_text(new.toml)
    assert not opens(file, old, 2)
    assert opens(file, new, 2)


def test_a_file_of_the_same_size_is_noticed_too(path: Path) -> None:
    old, new = new_token("acme", "viewer"), new_token("acme", "viewer")
    path.write_text(old.toml)
    file = TokenFile(path, 0)
    other = path.with_name("other")
    other.write_text(new.toml)
    found = path.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))  # clocks of files are coarse
    other.replace(path)
    assert (opens(file, old, 1), opens(file, new, 1)) == (False, True)


def test_a_file_is_read_again_only_when_it_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = new_token("acme", "viewer")
    add(path, token)
    file = TokenFile(path, 0)
    monkeypatch.setattr("stream_ser.server.token_file.read", lambda _: pytest.fail("it was read again"))
    assert all(opens(file, token, second) for second in range(1, 9))


def test_a_file_that_breaks_keeps_the_old_tokens_and_reports_once(path: Path) -> None:
    token = new_token("acme", "viewer")
    add(path, token)
    heard: list[ConfigError | None] = []
    file = TokenFile(path, 0, heard.append)
    path.write_text("[[token]]\ntenant = ")
    assert opens(file, token, 1)
    assert opens(file, token, 2)
    assert len(heard) == 1
    assert "is not TOML" in str(heard[0])
    path.unlink()
    assert opens(file, token, 3)
    assert "cannot read the tokens" in str(heard[1])
    assert isinstance(file.check(None, "viewer", NOW, 4 * SECOND_NS), Refusal)
    add(path, token)
    assert opens(file, token, 5)
    assert heard[2:] == [None]


def test_a_file_that_others_may_write_is_refused(path: Path) -> None:
    add(path, new_token("acme", "viewer"))
    path.chmod(0o622)
    with pytest.raises(ConfigError, match="so let themselves in; run chmod 600"):
        TokenFile(path, 0)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * (1 << 20) + b"##"])
def test_a_file_that_cannot_be_read_is_refused_at_the_start(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"tokens\.toml"):
        TokenFile(path, 0)


def test_a_new_file_is_the_owners_alone(path: Path) -> None:
    add(path, new_token("acme", "viewer"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("mode", "kept"), [(0o600, 0o600), (0o640, 0o640), (0o440, 0o440), (0o644, 0o640)])
def test_a_token_is_added_whole_and_whoever_may_read_may_still_read(path: Path, mode: int, kept: int) -> None:
    path.write_text("# the pbx in the cellar\n" + new_token("acme", "publisher").toml)
    path.chmod(mode)
    before = path.read_text()
    token = new_token("acme", "viewer")
    add(path, token)
    assert path.read_text() == f"{before}\n{token.toml}"
    assert stat.S_IMODE(path.stat().st_mode) == kept
    assert os.listdir(path.parent) == [path.name]
    assert len(read(path)) == 2


def test_owner_and_group_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(path, new_token("acme", "viewer"))
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 4_001, 4_002)
        add(path, new_token("acme", "viewer"))
        assert (path.stat().st_uid, path.stat().st_gid) == (4_001, 4_002)
    before = path.read_bytes()
    real = os.stat

    def somebody_elses(name: object, **options: Any) -> os.stat_result:
        found = real(name, **options)  # type: ignore[call-overload]
        return os.stat_result((*found[:4], 4_003, 4_004, *found[6:])) if name == path else found

    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", forbidden)
    monkeypatch.setattr(os, "stat", somebody_elses)
    with pytest.raises(ConfigError, match="would no longer belong to user 4003 and group 4004"):
        add(path, new_token("acme", "viewer"))
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_link_stays_one_and_the_file_behind_it_gets_the_token(path: Path) -> None:
    behind = path.parent / "kept" / "real.toml"
    behind.parent.mkdir()
    add(behind, new_token("acme", "publisher"))
    path.symlink_to(behind)
    file = TokenFile(path, 0)
    token = new_token("acme", "viewer")
    add(path, token)
    assert path.is_symlink()
    assert len(read(behind)) == 2
    assert os.listdir(behind.parent) == [behind.name]
    assert opens(file, token, 1)
    new_one = path.parent / "new.toml"
    new_one.symlink_to(path.parent / "not yet.toml")
    add(new_one, token)
    assert len(read(path.parent / "not yet.toml")) == 1


def test_a_link_that_is_turned_to_another_file_is_noticed(path: Path) -> None:
    first, second = new_token("acme", "viewer"), new_token("acme", "viewer")
    for number, token in enumerate((first, second)):
        add(path.parent / f"{number}.toml", token)
    path.symlink_to("0.toml")
    file = TokenFile(path, 0)
    turned = path.parent / "turned"
    turned.symlink_to("1.toml")
    turned.replace(path)
    assert (opens(file, first, 1), opens(file, second, 1)) == (False, True)


def test_links_in_a_circle_lead_to_no_file(path: Path) -> None:
    path.symlink_to(path.name)
    with pytest.raises(ConfigError, match=r"tokens\.toml"):
        add(path, new_token("acme", "viewer"))


def test_a_broken_file_is_not_added_to(path: Path) -> None:
    path.write_text("x = 1")
    with pytest.raises(ConfigError, match="other things than"):
        add(path, new_token("acme", "viewer"))
    assert path.read_text() == "x = 1"
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory; choose another folder"):
        add(path.parent / "absent" / "tokens.toml", new_token("acme", "viewer"))


def test_a_disk_that_is_full_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(path, new_token("acme", "viewer"))
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"cannot write .*tokens\.toml: No space left") as failed:
        add(path, new_token("acme", "publisher"))
    assert "make room" in failed.value.fix
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing half written is left"
    monkeypatch.undo()
    add(path, new_token("acme", "publisher"))


def test_of_two_commands_at_once_none_is_lost_silently(path: Path) -> None:
    refused: list[ConfigError] = []
    start = threading.Barrier(8)

    def attempt() -> None:
        start.wait()
        try:
            add(path, new_token("acme", "viewer"))
        except ConfigError as error:
            refused.append(error)

    threads = [threading.Thread(target=attempt, name=f"command {number}") for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(path)) + len(refused) == 8
    assert all("another command is writing" in str(error) for error in refused)


def test_while_a_changed_file_is_read_aside_the_tokens_before_are_in_force(path: Path) -> None:
    old, new = new_token("acme", "viewer"), new_token("acme", "viewer")
    add(path, old)
    waiting: list[Callable[[], None]] = []
    file = TokenFile(path, 0, aside=waiting.append)
    path.write_text(new.toml)
    assert (opens(file, old, 1), opens(file, new, 1)) == (True, False)
    path.write_text(new.toml + "\n")
    assert opens(file, old, 3)
    assert len(waiting) == 1, "it is read by one at a time"
    waiting.pop()()
    assert (opens(file, old, 3.5), opens(file, new, 3.5)) == (False, True)
    path.write_text(old.toml)
    assert opens(file, new, 5)
    assert len(waiting) == 1
