"""What is served at which address, and with which headers, by the feed's own server."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import time
from importlib import resources
from urllib.parse import urlsplit

import pytest

from stream_ser.feed.server import FeedServer
from stream_ser.web import assets


def get(address: str, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_the_page_is_never_kept_and_may_do_little(address: str) -> None:
    response, body = get(address, "/")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert response.headers["Cache-Control"] == "no-store"
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert response.headers["Permissions-Policy"].startswith("microphone=(self), ")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert b"{version}" not in body
    assert not re.search(rb"\son\w+=|\sstyle=|<script>|<style", body)


def test_all_that_the_page_names_is_there_and_may_be_kept_for_ever(address: str) -> None:
    _, page = get(address, "/")
    named = re.findall(rb'(?:src|href)="(web/[^"]+)"', page)
    assert len(named) == 5
    for path in named:
        response, body = get(address, "/" + path.decode())
        assert response.status == 200
        assert len(body) == int(response.headers["Content-Length"]) > 0
        assert response.headers["Content-Type"].startswith("text/javascript" if path.endswith(b"js") else "text/css")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "immutable" in response.headers["Cache-Control"]
        again, nothing = get(address, "/" + path.decode(), If_None_Match=response.headers["ETag"])
        assert (again.status, nothing) == (304, b"")


def test_every_module_of_the_package_is_served_and_names_only_others() -> None:
    table = assets.table()
    modules = {path.rpartition("/")[2]: asset for path, asset in table.items() if path.endswith(".js")}
    for asset in modules.values():
        for name in re.findall(rb'(?:from |URL\()"([^"]+\.js)"', asset.body):
            assert name.startswith(b"./")
            assert name[2:].decode() in modules


STRANGE = """
    /index.html /web/ /web/app.js /web/{v}/ /web/{v}/index.html /web/{v}/../assets.py /web/{v}/%2e%2e/assets.py // /etc/passwd
    /web/{v}/vendor/../../assets.py /web/{v}/assets.py /web/{v}//app.js /web/0000000000000000/app.js /web/{v}/vendor/LICENSE
"""


@pytest.mark.parametrize("path", STRANGE.split())
def test_there_is_nothing_else(address: str, path: str) -> None:
    response, _ = get(address, path.replace("{v}", assets.version()))
    assert response.status == 404


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE"])
def test_one_may_only_look(address: str, method: str) -> None:
    try:
        response, body = get(address, "/", method)
    except http.client.BadStatusLine:  # older versions of the library close the connection without a word
        return
    assert (response.status, body) == (405, b"")


def test_admission_says_how_the_feed_would_answer(address: str) -> None:
    response, body = get(address, "/web/door", X_Page_Origin=address.rstrip("/"))
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    assert json.loads(body) == {"status": 200, "text": "", "subprotocol": None, "tenant": None, "history": False}
    _, body = get(address, "/web/door", X_Page_Origin="http://evil.example")
    told = json.loads(body)
    assert told["status"] == 403
    assert "evil.example" in told["text"]


def test_there_is_no_way_in_for_sound_where_nobody_takes_it(address: str) -> None:
    for path in ("/web/sound", "/v1/audio"):
        response, _ = get(address, path)
        assert response.status == 404


def test_a_slow_reader_gets_a_file_whole(feed: FeedServer, address: str) -> None:
    path = f"/web/{assets.version()}/vendor/uPlot.iife.min.js"
    got = b""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(60)
        reader.connect(("127.0.0.1", urlsplit(address).port))
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        time.sleep(1.5)  # longer than a closing handshake may take
        while piece := reader.recv(65_536):
            got += piece
    assert got.partition(b"\r\n\r\n")[2] == assets.table()[path].body


def test_the_library_is_the_one_that_its_readme_names() -> None:
    folder = resources.files("stream_ser.web") / "vendor"
    readme = (folder / "README.md").read_text("utf-8")
    assert "1.6.32" in readme
    assert "MIT" in (folder / "LICENSE").read_text("utf-8")
    for name in ("uPlot.iife.min.js", "uPlot.min.css"):
        assert f"`{name}` | `{hashlib.sha256((folder / name).read_bytes()).hexdigest()}`" in readme
