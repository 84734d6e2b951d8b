"""Alerts and ends told outside: over a real webhook, by a real program, by a server that goes on whatever they do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stream_ser.errors import ConfigError
from stream_ser.feed import call_messages
from stream_ser.server.command_hook import CommandHook
from stream_ser.server.config import AboutSettings, CommandSettings, ServeConfig, SettingError, WebhookSettings
from stream_ser.server.delivery import DeliveryError, Notice
from stream_ser.server.notices import Notices
from stream_ser.server.secret import Secret
from stream_ser.server.webhook import Webhook
from tests.feed.wire import alert_message, call_message
from tests.server.serving import Feed, eventually, figures, serving
from tests.server.test_call_pages import talking

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOTICE = Notice("local-7-abc", 0.0, '{"type": "alert.opened", "who": "ü"}'.encode())


class Receiver:
    """A webhook's other side. ``status`` is what it answers; what came is kept."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?x=1"

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_a_request_is_signed_as_standard_webhooks_has_it(receiver: Receiver) -> None:
    Webhook(receiver.url, SECRET).send(NOTICE)
    ((headers, body),) = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], body, headers["content-type"]) == (NOTICE.id, NOTICE.body, "application/json")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_the_signature_is_that_of_the_specifications_example() -> None:
    """The example of github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md."""
    hook = Webhook("https://example.org", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    notice = Notice("msg_p5jXN8AQM9LWM0D4loKWxJek", 0.0, b'{"test": 2432232314}')
    assert hook.headers(notice, 1614265330)["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(("status", "final"), [(500, False), (503, False), (429, False), (404, True), (302, True)])
def test_what_it_answers_decides_whether_it_is_asked_again(receiver: Receiver, status: int, final: bool) -> None:
    receiver.status = status
    with pytest.raises(DeliveryError, match=str(status)) as refused:
        Webhook(receiver.url, SECRET).send(NOTICE)
    assert refused.value.final is final
    assert len(receiver.got) == 1, "a redirect is not followed"


@pytest.mark.parametrize("drips", [False, True])
def test_one_that_hangs_or_drips_is_left_in_time(drips: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, over = listener.getsockname()[1], threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"X" if drips else b"")
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(DeliveryError, match="does not answer"):
                Webhook(f"http://127.0.0.1:{port}/", SECRET, attempt_s=0.5).send(NOTICE)
        finally:
            over.set()
            thread.join()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DeliveryError, match="ConnectionRefusedError"):
        Webhook(f"http://127.0.0.1:{port}/", SECRET).send(NOTICE)


@pytest.mark.parametrize("secret", ["", "geheim", "whsec_", "whsec_%%%", "whsec_Z2VoZWlt"])
def test_a_secret_that_cannot_be_used_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigError, match=r"webhook\.secret is not whsec_") as refused:
        Webhook("https://example.org", secret)
    assert "geheim" not in str(refused.value)
    assert "Z2VoZWlt" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "secret", "key"),
    [
        ("http://hooks.example.org/", True, "webhook.url"),
        ("ftp://localhost/", True, "webhook.url"),
        ("https://user:password@example.org/", True, "webhook.url"),
        ("https://example.org/a b", True, "webhook.url"),
        ("https://example.org/", False, "webhook.url"),
        ("", True, "webhook.secret"),
    ],
)
def test_settings_that_cannot_be(url: str, secret: bool, key: str) -> None:
    named = Secret("env", "HOOK") if secret else None
    with pytest.raises(SettingError) as refused:
        ServeConfig(webhook=WebhookSettings(url=url, secret=named))
    assert refused.value.key == key


def script(folder: Path, text: str) -> list[str]:
    path = folder / "hook.py"
    path.write_text(f"import json, os, sys, time\ntold = sys.stdin.read()\n{text}\n")
    return [sys.executable, str(path)]


def test_a_command_gets_json_and_no_secret(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = script(tmp_path, f"open({str(out)!r}, 'w').write(json.dumps([json.loads(told), dict(os.environ)]))")
    CommandHook(run, 20.0, {"PATH": "/usr/bin", "TWILIO_AUTH_TOKEN": "geheim"}).send(NOTICE)
    told, environ = json.loads(out.read_text())
    assert told == json.loads(NOTICE.body)
    assert "geheim" not in str(environ)


def test_a_command_that_fails_or_hangs_or_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="ended with 3"):
        CommandHook(script(tmp_path, "sys.exit(3)"), 20.0, {}).send(NOTICE)
    with pytest.raises(DeliveryError, match=r"took more than 0\.5 s"):
        CommandHook(script(tmp_path, "time.sleep(60)"), 0.5, {}).send(NOTICE)
    with pytest.raises(DeliveryError, match="cannot be run: FileNotFoundError"):
        CommandHook([str(tmp_path / "nothing")], 1.0, {}).send(NOTICE)


def test_where_nobody_is_told_all_figures_are_there_and_nothing() -> None:
    found = Notices(ServeConfig(), {}).figures()
    assert {"webhook_waiting", "webhook_delivered", "command_failed", "command_dropped"} <= set(found)
    assert set(found.values()) == {0.0}


def test_who_is_told_of_what(receiver: Receiver) -> None:
    hook = WebhookSettings(url=receiver.url, secret=Secret("env", "HOOK"), tenant="acme", alerts="warning")
    notices = Notices(ServeConfig(webhook=hook), {"HOOK": SECRET})
    notices.start()
    for tenant in ("acme", "other"):
        for severity in ("info", "warning", "critical"):
            notices.sink(tenant, {**alert_message(), "severity": severity})
        notices.sink(tenant, alert_message("updated"))
        for kind in ("opened", "ended"):
            notices.sink(tenant, call_message(kind))
    notices.sink("acme", alert_message("cleared"))
    notices.close(20.0)
    told = receiver.told()
    assert [(each["type"], each["data"].get("severity")) for each in told] == [
        ("alert.opened", "warning"),
        ("alert.opened", "critical"),
        ("call.ended", None),
    ]
    assert {each["data"]["tenant"] for each in told} == {"acme"}
    assert told[2]["data"]["about"] == call_messages.about("C. 4711", "north")
    assert told[2]["data"]["summary"] == {"duration_s": 240.0}
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 3


async def test_a_server_tells_of_an_alert_and_an_end(tmp_path: Path, receiver: Receiver) -> None:
    out = tmp_path / "mails"
    run = script(tmp_path, f"open({str(out)!r}, 'a').write(told)")
    given = {
        "webhook": WebhookSettings(url=receiver.url, secret=Secret("env", "HOOK")),
        "command": CommandSettings(run=tuple(run), alerts="critical"),
        "about": AboutSettings(caller="alias"),
    }
    async with serving(tmp_path, {"HOOK": SECRET}, **given) as server, Feed(server.url) as feed:
        async with talking(server, feed, "c-1") as alert:
            await eventually(lambda: bool(receiver.got), "the alert")
            data = receiver.told()[0]["data"]
            assert (data["id"], data["tenant"], data["stream"]) == (alert, "local", "c-1/customer")
            assert data["about"] == call_messages.about("C. 4711")
        await eventually(lambda: receiver.told()[-1]["type"] == "call.ended", "the end")
        await eventually(out.exists, "the mail")
        assert json.loads(out.read_text().splitlines()[0])["data"]["id"] == alert
        named = await figures(server)
        assert named["webhook_delivered_total"] == len(receiver.got)
    assert json.loads(receiver.got[-1][1])["data"]["summary"]["alerts_opened"]["critical"] >= 1


async def test_a_webhook_that_answers_500_harms_nothing(tmp_path: Path, receiver: Receiver) -> None:
    receiver.status = 500
    hook = WebhookSettings(url=receiver.url, secret=Secret("env", "HOOK"), queue=1)
    async with serving(tmp_path, {"HOOK": SECRET}, webhook=hook) as server, Feed(server.url) as feed:
        for call in ("c-1", "c-2"):
            async with talking(server, feed, call):
                pass
        named = await figures(server)
        assert named["webhook_waiting"] == 1
        assert named["webhook_failed_total"] >= 1
        assert named["webhook_dropped_total"] >= 2
        assert named["store_lost_total"] == 0
        assert server.ready is None
        receiver.status = 204
        await eventually(lambda: server.services.notices.figures()["webhook_delivered"] == 1, "what waited")
    assert receiver.told()[-1]["type"] == "call.ended"
