"""The page is the protocol: its examples are what the code sends, and its programs run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_ser.feed import messages
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from tests.feed.examples import examples
from tests.feed.wire import make_info, point_message, problems

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
ADDRESS = "ws://127.0.0.1:8765/v1/feed"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def url() -> Iterator[str]:
    """A feed that goes on until the test is over."""
    hub = Hub()
    hub.publish(messages.hello(make_info()))
    server = FeedServer(hub, port=0)
    server.start()
    over = threading.Event()

    def publish() -> None:
        while not over.wait(0.01):
            hub.publish(point_message())

    publisher = threading.Thread(target=publish)
    publisher.start()
    yield server.url
    over.set()
    publisher.join()
    server.stop()


def first_lines(command: list[str], count: int) -> list[str]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(count)]
        process.kill()
    return lines


def test_the_examples_are_what_the_code_sends() -> None:
    shown = [json.loads(block) for block in blocks("json")]
    assert shown == examples()
    assert {message["type"] for message in shown} == {
        each["$ref"].removeprefix("#/$defs/") for each in messages.schema()["oneOf"]
    }


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: str(json.loads(block)["type"]))
def test_every_example_is_what_the_schema_says(block: str) -> None:
    assert problems(json.loads(block)) == []


def test_every_field_and_state_of_a_point_is_explained() -> None:
    point = point_message()
    for name in [*point, *point["ledger"], *messages.hello(make_info())["states"]]:
        assert f"`{name}`" in PAGE


@pytest.mark.parametrize(("number", "expected"), [(0, "2.00 s  angry  70%"), (1, "hello 0 missed: 0")])
def test_the_python_examples_run(url: str, number: int, expected: str) -> None:
    program = blocks("python")[number].replace(ADDRESS, url)
    (line,) = first_lines([sys.executable, "-u", "-c", program], 1)
    assert re.sub(r"\d+ missed", "0 missed", line) == expected


def test_the_page_example_runs(url: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    command = [node, "--experimental-websocket", "-e"]  # on by default from version 22
    if subprocess.run(
        [*command, "process.exit(typeof WebSocket === 'undefined' ? 1 : 0)"], capture_output=True
    ).returncode:
        pytest.skip("this node has no WebSocket")
    (script,) = blocks("js")
    assert len(script.splitlines()) <= 15
    assert first_lines([*command, script.replace(ADDRESS, url)], 2) == ["2.00 s angry 70 %"] * 2
