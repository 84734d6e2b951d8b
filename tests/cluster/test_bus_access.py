"""Who is let in by a real nats-server, and what is told to whom is not: TLS, users, tokens and credentials."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stream_ser.cluster.connection import Bus, BusAddress
from stream_ser.server.app import CallServer
from stream_ser.server.cluster_settings import ClusterSettings
from stream_ser.server.config import ServeConfig
from stream_ser.server.secret import Secret
from stream_ser.store.database import StoreError
from tests.cluster import nats_users
from tests.cluster.nats_server import NatsServer, needs_nats
from tests.cluster.node import PATIENCE_S, Node, numbers, take, wait_until
from tests.server.certificate import make

pytestmark = needs_nats
PASSWORD, WRONG = "opensesame", "knockknock"
USERS = f'authorization {{ users: [ {{ user: ser, password: "{PASSWORD}" }} ] }}\n'
US: dict[str, Any] = {"user": "ser", "password": PASSWORD}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_ser.cluster.connection.CONNECT_S", 1.0)


def jetstream(folder: Path) -> str:
    return f'jetstream {{ store_dir: "{folder / "nats"}" }}\n'


@contextmanager
def server(folder: Path, told: str) -> Iterator[NatsServer]:
    """A nats-server with a configuration."""
    configuration = folder / "nats.conf"
    configuration.write_text(f"{told}\n{jetstream(folder)}")
    made = NatsServer(folder / "nats", "-c", str(configuration))
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return make(tmp_path)


def works(address: BusAddress) -> None:
    """A call goes over the bus and comes back."""
    node = Node(address)
    try:
        subscription = node.subscribe()
        node.open("c-1")
        node.point("c-1")
        node.end("c-1")
        assert numbers(take(subscription, 4)) == [1, 2, 3, 4]
    finally:
        node.close()


def refused(address: BusAddress) -> str:
    """What is said where nobody lets us in."""
    with pytest.raises(StoreError) as raised:
        Bus(address).open()
    return str(raised.value)


def encrypted(keys: tuple[Path, Path], more: str = "") -> str:
    return f'tls {{ cert_file: "{keys[0]}", key_file: "{keys[1]}", timeout: 10, {more} }}\n'


@pytest.mark.parametrize("scheme", ["tls", "nats"])
def test_over_tls_with_a_user(tmp_path: Path, keys: tuple[Path, Path], scheme: str) -> None:
    with server(tmp_path, encrypted(keys) + USERS) as bus:
        works(BusAddress((f"{scheme}://127.0.0.1:{bus.port}",), ca=keys[0], **US))


def test_over_tls_with_a_certificate_of_our_own(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    with server(tmp_path, encrypted(keys, f'ca_file: "{keys[0]}", verify: true')) as bus:
        url = f"tls://127.0.0.1:{bus.port}"
        works(BusAddress((url,), ca=keys[0], cert=keys[0], key=keys[1]))
        assert "check cluster.tls_cert and cluster.tls_key" in refused(BusAddress((url,), ca=keys[0]))


def test_a_server_for_whom_nobody_vouches_is_told_nothing(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    with server(tmp_path, encrypted(keys) + USERS) as bus:
        said = refused(BusAddress((f"tls://127.0.0.1:{bus.port}",), **US))
        assert "check cluster.tls_ca" in said
        assert "certificate verify failed" in said


@pytest.mark.parametrize("scheme", ["tls", "nats"])
def test_a_server_that_does_not_ask_for_tls_is_told_nothing(
    tmp_path: Path, keys: tuple[Path, Path], scheme: str
) -> None:
    """The client would go on in the clear, with the password: whoever stands between could have it so."""
    with server(tmp_path, USERS + "debug: true\ntrace: true\n") as bus:
        said = refused(BusAddress((f"{scheme}://127.0.0.1:{bus.port}",), ca=keys[0], **US))
        assert "it does not ask for TLS; have its configuration ask for TLS" in said
        log = (bus.folder / "log").read_text()
        assert "Client connection created" in log
        assert "[CONNECT" not in log


def test_with_a_token(tmp_path: Path) -> None:
    with server(tmp_path, f'authorization {{ token: "{PASSWORD}" }}') as bus:
        works(BusAddress((bus.url,), token=PASSWORD))
        assert "check cluster.user with cluster.password, cluster.token" in refused(BusAddress((bus.url,), token=WRONG))


def test_with_credentials_of_an_account(tmp_path: Path) -> None:
    told, path = nats_users.make(tmp_path)
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    _, wrong = nats_users.make(strangers)
    with server(tmp_path, told) as bus:
        works(BusAddress((bus.url,), credentials=path))
        assert "or cluster.credentials" in refused(BusAddress((bus.url,), credentials=wrong))


def test_a_wrong_password_is_told_of_at_the_start_and_written_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with server(tmp_path, USERS) as bus:
        settings = ClusterSettings(user="ser", password=Secret("env", "BUS"))
        config = ServeConfig(port=0, engine="onnx", store="off", bus=bus.url, cluster=settings)
        with pytest.raises(StoreError, match=r"Authorization Violation.*check cluster.user") as raised:
            CallServer(config, {"BUS": WRONG}).start()
        assert "Authorization Violation" in caplog.text
        written = [
            caplog.text,
            *capfd.readouterr(),
            str(raised.value),
            repr(BusAddress((bus.url,), **US)),
            repr(config),
        ]
        assert not [text for text in written if WRONG in text or PASSWORD in text]


def test_who_is_let_in_no_more_comes_back_when_that_is_undone(tmp_path: Path) -> None:
    """As while users are changed. The library's own client would be closed for good."""
    with server(tmp_path, USERS) as bus:
        node = Node(BusAddress((bus.url,), **US))
        try:
            subscription = node.subscribe()
            node.open("c-1")
            assert numbers(take(subscription, 1)) == [1]
            for password, connected in ((WRONG, False), (PASSWORD, True)):
                (tmp_path / "nats.conf").write_text(USERS.replace(PASSWORD, password) + jetstream(tmp_path))
                bus._signal(signal.SIGHUP)
                wait_until(lambda is_so=connected: node.cluster.bus.connected is is_so, "the users are changed")  # type: ignore[misc]
                node.point("c-1")
            assert numbers(take(subscription, 3)) == [2, 3]
        finally:
            node.close()


def test_who_is_not_let_in_gives_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the client swallows that it was cancelled, as it does every other time when it is as busy as here."""
    monkeypatch.setattr("stream_ser.cluster.connection.AGAIN_S", 0.0)
    with server(tmp_path, USERS) as bus:
        for tries in range(10):
            monkeypatch.setattr("stream_ser.cluster.connection.CONNECT_S", 0.02 + tries / 3000)
            opening = threading.Thread(target=refused, args=(BusAddress((bus.url,), user="ser", password=WRONG),))
            opening.daemon = True
            opening.start()
            opening.join(PATIENCE_S)
            assert not opening.is_alive(), f"attempt {tries} has no end"
