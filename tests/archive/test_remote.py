"""Folders in object storage: an S3 server in a process of its own, and fsspec's own storage in memory."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from stream_ser.archive.remote import RemoteFolder
from stream_ser.errors import FeedError, SourceError
from tests.archive.conftest import FORMATS, Run
from tests.archive.runs import alive, children, start, until
from tests.archive.storage import Line, objects, serving, variables
from tests.conftest import refused

Command = Callable[..., tuple[int, str, str]]
fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'stream-ser[s3]'")


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    for package in ("s3fs", "moto", "flask_cors"):
        pytest.importorskip(package, reason=f"{package} is not installed, so there is no S3 server to test with")
    from fsspec.asyn import get_loop

    get_loop()  # its thread belongs to fsspec and stays
    with serving() as number:
        yield number


@pytest.fixture
def s3(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the server, and the way to it for whatever is started."""
    for key, value in variables(port).items():
        monkeypatch.setenv(key, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    yield s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(s3: Any, archive: Path, request: pytest.FixtureRequest) -> str:
    """A bucket of this test's own, with the archive in a folder of it."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower())[:50].strip("-")
    s3.mkdir(name)
    for path in archive.rglob("*.*"):
        s3.put_file(str(path), f"{name}/in/{path.relative_to(archive).as_posix()}")
    return name


def as_here(found: dict[str, bytes], url: str, archive: Path) -> dict[str, Any]:
    """Objects, with the recordings called as on the disk, and the index without what shows that they are unchanged."""
    told: dict[str, Any] = {name: held.replace(url.encode(), str(archive).encode()) for name, held in found.items()}
    entries = [json.loads(line) for line in told["index.jsonl"].splitlines()]
    told["index.jsonl"] = [
        {key: value for key, value in entry.items() if key not in ("modified_ns", "etag")} for entry in entries
    ]
    return told


def expected(unbroken: Run, archive: Path) -> dict[str, Any]:
    out = unbroken.out
    return as_here(
        {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.*")}, "nothing", archive
    )


def test_from_a_bucket_to_a_bucket_the_results_are_those_on_a_disk(
    s3: Any, bucket: str, archive: Path, unbroken: Run, tmp_path: Path
) -> None:
    into = f"s3://{bucket}/out"
    options = ("--out", into, "--to", FORMATS, "--jobs", 2)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with start(f"s3://{bucket}/in", *options, env=environment) as process:
        _, error = process.communicate(timeout=300)
    assert process.returncode == 2
    assert f"s3://{bucket}/in/b/cut.wav is cut off" in error
    found = objects(s3, f"{bucket}/out")
    assert as_here(found, f"s3://{bucket}/in", archive) == expected(unbroken, archive)
    assert not list(tmp_path.iterdir()), "nothing is left of what was fetched"

    with start(f"s3://{bucket}/in", *options, env=environment) as process:
        printed, _ = process.communicate(timeout=300)
    assert "4 recordings, 3 of them done before" in printed
    assert objects(s3, f"{bucket}/out") == found


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_run_that_was_killed_goes_on_and_no_sound_is_left(
    s3: Any, bucket: str, archive: Path, unbroken: Run, tmp_path: Path
) -> None:
    options = ("--out", f"s3://{bucket}/out", "--to", FORMATS, "--jobs", 2)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with start(f"s3://{bucket}/in", *options, env=environment) as process:
        until(lambda: list(tmp_path.glob("*/b/*.messages.part")), process)
        helpers = children(process.pid)
        for pid in (process.pid, *helpers):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(alive, helpers)))
    left = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in left if path.suffix in (".wav", ".flac")], "sound outlived its process"
    whole = expected(unbroken, archive)
    for name, held in objects(s3, f"{bucket}/out").items():
        if not name.startswith("index.journal/"):
            assert held.replace(f"s3://{bucket}/in".encode(), str(archive).encode()) == whole[name]

    with start(f"s3://{bucket}/in", *options, env=environment) as process:
        process.communicate(timeout=300)
    assert as_here(objects(s3, f"{bucket}/out"), f"s3://{bucket}/in", archive) == whole


def test_an_upload_that_breaks_off_leaves_the_object_as_it_was(
    s3: Any, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.mkdir("broken-upload")
    old = tmp_path / "old"
    old.write_bytes(b"old and whole")
    new = tmp_path / "a.csv"
    new.write_bytes(b"new" * 1_000_000)
    with Line(port) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
        folder = RemoteFolder("s3://broken-upload/out")
        folder.put("a.csv", old)
        line.allowed = 500_000
        with pytest.raises(FeedError, match=r"cannot write s3://broken-upload/out/a.csv: .*; check the address"):
            folder.put("a.csv", new)
        assert line.allowed <= 0, "the line was never cut"
    assert s3.cat_file("broken-upload/out/a.csv") == b"old and whole"


def test_a_name_cannot_lead_out_of_the_folder_of_results(s3: Any, command: Command, tmp_path: Path) -> None:
    s3.mkdir("hostile")
    s3.pipe_file("hostile/in/../../evil.wav", b"x")
    code, _, error = command("analyze", "s3://hostile/in", "--out", tmp_path / "deep" / "out")
    assert (code, "no recording" in error) == (2, True)
    s3.pipe_file("hostile/in/empty.wav", b"")
    code, _, error = command("analyze", "s3://hostile/in", "--out", tmp_path / "deep" / "out", "--jobs", 1)
    assert code == 2
    assert "../../evil.wav was left out: its name would lead out of the folder" in error
    assert "s3://hostile/in/empty.wav is empty" in error
    assert {path.name for path in tmp_path.rglob("*")} == {"deep", "out", "index.jsonl"}


def test_what_cannot_be_reached_is_told_in_a_line(s3: Any, archive: Path, tmp_path: Path, command: Command) -> None:
    refused(command("analyze", "s3://not-there/in", "--out", tmp_path), "no recording in s3://not-there/in")
    refused(command("analyze", archive, "--out", "s3://not-there/out"), "cannot write into s3://not-there/out", "AWS_")
    refused(command("analyze", "nosuch://x/in", "--out", tmp_path), "nosuch", "s3://bucket/folder")
    if find_spec("gcsfs") is None:
        refused(command("analyze", "gs://x/in", "--out", tmp_path), "gcsfs", "pip install 'gcsfs'")


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's storage in memory, which has files rather than objects, and is seen by one process alone."""
    storage = fsspec.filesystem("memory")
    storage.store.clear()
    storage.pseudo_dirs[:] = [""]
    yield storage
    storage.store.clear()
    storage.pseudo_dirs[:] = [""]


def test_formats_that_are_wanted_later_are_made_from_the_messages(
    memory: Any, talk: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe_file("/in/sub/talk.wav", talk.read_bytes())
    run = ("analyze", "memory://in", "--out", "memory://out", "--jobs", 1)
    assert command(*run)[0] == 0
    assert sorted(memory.find("/out")) == ["/out/index.jsonl", "/out/sub/talk.wav.jsonl"]
    first = memory.cat_file("/out/sub/talk.wav.jsonl")
    code, printed, _ = command(*run, "--to", "csv,jsonl")
    assert (code, "1 recordings, 1 of them done before; no new sound" in printed) == (0, True)
    assert memory.cat_file("/out/sub/talk.wav.jsonl") == first
    here = tmp_path / "here"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "talk.wav").write_bytes(talk.read_bytes())
    command("analyze", tmp_path, "--out", here, "--to", "csv", "--jobs", 1)
    assert memory.cat_file("/out/sub/talk.wav.csv") == (here / "sub" / "talk.wav.csv").read_bytes()


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(memory: Any, tmp_path: Path) -> None:
    memory.pipe_file("/out/a.csv", b"old")
    folder = RemoteFolder("memory://out")
    with pytest.raises(FeedError, match=r"cannot write memory://out/a\.csv"):
        folder.put("a.csv", tmp_path / "not there")
    assert memory.cat_file("/out/a.csv") == b"old"
    assert memory.find("/out") == ["/out/a.csv"]


def test_a_recording_that_is_too_large_is_not_fetched(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe_file("/in/a.wav", b"x" * 1001)
    folder = RemoteFolder("memory://in")
    monkeypatch.setattr("stream_ser.archive.remote.LARGEST", 1000)
    with pytest.raises(SourceError, match="has 1001 bytes, more than the 1000"), folder.fetch("a.wav"):
        pass
    monkeypatch.setattr("stream_ser.archive.remote.LARGEST", 1001)
    with folder.fetch("a.wav") as path:
        assert path.read_bytes() == b"x" * 1001
        assert path.name == "a.wav"
    assert not path.parent.exists()


def test_a_full_disk_ends_the_run_rather_than_each_recording(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe_file("/in/a.wav", b"x" * 1001)
    monkeypatch.setattr("stream_ser.archive.remote.SPARE", 1 << 60)
    with pytest.raises(FeedError, match=r"has room for 0 bytes, and memory://in/a\.wav has 1001; .*TMPDIR"):
        RemoteFolder("memory://in").fetch("a.wav").__enter__()
