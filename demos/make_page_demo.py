"""Write what the page's demo plays: the trajectory of the bundled recording, as the default model hears it.

Run: python demos/make_page_demo.py [OUT.json]. Where a model or the recording changes, run it anew; a test says when.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from stream_ser.audio.bundled import bundled_recording
from stream_ser.audio.recording import open_recording
from stream_ser.pipeline.runtime import Options, Runtime, run_to_end

DEMO = Path(__file__).parent.parent / "stream_ser" / "web" / "demo.json"
DIGITS = 4


def trajectory() -> list[dict[str, Any]]:
    """All messages of the recording, with no more digits than a page shows and without what took how long."""
    messages: list[dict[str, Any]] = []
    recording = bundled_recording()
    with Runtime(Options(feed="off")) as runtime:
        runtime.hub.attach(messages.append)
        run_to_end(runtime.session(open_recording(recording, speed=None), "demo"), lambda: None)
    kept = [message for message in messages if message["type"] in ("hello", "point", "gap", "end")]
    lighter = {"point": {"ledger": {}}, "hello": {"passed_over": []}}
    return [short({**message, **lighter.get(message["type"], {})}) for message in kept]


def short(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: short(inner) for key, inner in value.items()}
    return [short(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO
    lines = [json.dumps(message, separators=(",", ":")) for message in trajectory()]
    target.write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")
