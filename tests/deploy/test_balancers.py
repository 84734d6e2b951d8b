"""The example configurations of HAProxy and nginx, run as they are but for addresses: TLS, websockets, AudioSocket, drains."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from stream_ser.server.app import CallServer
from stream_ser.server.config import AudioSocketSettings
from tests.cluster.nats_server import NatsServer, free_port, needs_nats
from tests.server.certificate import make, trusted
from tests.server.serving import PATIENCE_S, Feed, bearer, eventually, serving, tokens
from tests.server.speaking import Plain, silence

DEPLOY = Path(__file__).parents[2] / "deploy"
pytestmark = [needs_nats, pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")]


def answers(port: int) -> bool:
    with socket.socket() as trying:
        trying.settimeout(1)
        return trying.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: list[str], log: Path, port: int) -> Iterator[None]:
    """A balancer, once it listens."""
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        until = time.monotonic() + PATIENCE_S
        while not answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def haproxy(folder: Path, nodes: list[int], sound: list[int], cert: Path, key: Path) -> tuple[list[str], int, int]:
    """The command, its port and that for AudioSocket."""
    port, plain = free_port(), free_port()
    (folder / "calls.pem").write_text(cert.read_text() + key.read_text())
    text = (DEPLOY / "haproxy.cfg").read_text()
    text = text.replace("bind :443", f"bind 127.0.0.1:{port}").replace("bind :9092", f"bind 127.0.0.1:{plain}")
    text = text.replace("/etc/haproxy/certs/calls.pem", str(folder / "calls.pem"))
    for number, (node, heard) in enumerate(zip(nodes, sound, strict=True)):
        text = re.sub(rf"127\.0\.0\.1:{9192 + number} port {8765 + number}", f"127.0.0.1:{heard} port {node}", text)
        text = text.replace(f"127.0.0.1:{8765 + number}", f"127.0.0.1:{node}")
    text = "\n".join(line for line in text.splitlines() if "server node3" not in line) + "\n"
    (folder / "haproxy.cfg").write_text(text)
    checked = subprocess.run(
        ["haproxy", "-c", "-f", str(folder / "haproxy.cfg")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], port, plain


def nginx(folder: Path, nodes: list[int], _: list[int], cert: Path, key: Path) -> tuple[list[str], int, int]:
    port = free_port()
    text = (DEPLOY / "nginx-cluster.conf").read_text()
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = text.replace("/etc/ssl/calls/fullchain.pem", str(cert)).replace("/etc/ssl/calls/privkey.pem", str(key))
    for number, node in enumerate(nodes):
        text = text.replace(f"127.0.0.1:{8765 + number} ", f"127.0.0.1:{node} ")
    text = "\n".join(line for line in text.splitlines() if "127.0.0.1:8767" not in line)
    kept = "".join(f"{name}_temp_path {folder};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    head = f"daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}}\n"
    (folder / "nginx.conf").write_text(f"{head}http {{ access_log off;\n{kept}{text}\n}}\n")
    return ["nginx", "-e", str(folder / "errors"), "-c", str(folder / "nginx.conf")], port, 0


async def call(url: str, name: str, token: str, tls: ssl.SSLContext) -> tuple[Plain, object]:
    """A call that is open."""
    speaker = Plain(name)
    connection = await connect(
        f"{url}{speaker.path}", compression=None, ssl=tls, additional_headers=bearer(token), open_timeout=PATIENCE_S
    )
    await connection.send(speaker.opening()[0])
    return speaker, connection


@pytest.mark.parametrize("balancer", [haproxy, nginx], ids=lambda each: each.__name__)
async def test_calls_go_to_nodes_that_take_them_and_stay_where_they_are(tmp_path: Path, balancer) -> None:  # type: ignore[no-untyped-def]
    if shutil.which(balancer.__name__) is None:
        pytest.skip(f"{balancer.__name__} is not installed: apt-get install {balancer.__name__}")
    cert, key = make(tmp_path)
    tls = ssl.create_default_context(cafile=str(cert))
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    bus = NatsServer(tmp_path / "nats")
    bus.start()
    sound = [free_port(), free_port()]
    async with AsyncExitStack() as stack:
        stack.callback(bus.stop)
        servers: list[CallServer] = []
        for port in sound:
            given = {"bus": bus.url, "tokens": path, "trusted_proxies": ("127.0.0.1",)}
            heard = AudioSocketSettings(listen=f"127.0.0.1:{port}", tenant="acme", encoding="slin")
            servers.append(await stack.enter_async_context(serving(tmp_path, audiosocket=heard, **given)))
        command, port, plain = balancer(tmp_path, [each.port for each in servers], sound, cert, key)
        stack.enter_context(running(command, tmp_path / "log", port))
        stack.enter_context(trusted(cert))
        url = f"wss://127.0.0.1:{port}"
        feed = await stack.enter_async_context(Feed(url, token=viewer))
        open_calls = [await call(url, f"c-{number}", publisher, tls) for number in range(6)]
        await feed.wait("call", 6, kind="opened")
        at_first = set(servers[0].services.tenants.get("acme").calls)
        assert 0 < len(at_first) < 6, "both have some"

        servers[0].services.leaving = True  # as the first step of a drain does
        more = [await call(url, f"d-{number}", publisher, tls) for number in range(6)]
        await feed.wait("call", 12, kind="opened")
        assert set(servers[0].services.tenants.get("acme").calls) == at_first, "what is open stays, nothing new comes"
        for speaker, connection in open_calls + more:
            for message in speaker.sound(silence(1)):
                await connection.send(message)  # type: ignore[attr-defined]
            await connection.send('{"type":"close"}')  # type: ignore[attr-defined]
        await feed.wait("call", 12, kind="ended")
        if plain:
            await eventually(lambda: _hears(plain, servers[1]), "AudioSocket leads to the node that takes calls")
            assert not servers[0].services.tenants.get("acme").calls


def _hears(port: int, server: CallServer) -> bool:
    """Whether an AudioSocket call comes through to a node."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as asterisk:
        asterisk.sendall(b"\x01\x00\x10" + bytes(range(16)) + 50 * (b"\x10\x01\x40" + bytes(320)))
        until = time.monotonic() + 1
        while time.monotonic() < until:
            if server.services.tenants.get("acme").calls:
                return True
            time.sleep(0.02)
    return False
