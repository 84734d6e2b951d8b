"""What the page's demo plays is what the default model says of the bundled recording."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from demos.make_page_demo import trajectory
from tests.feed.wire import problems

TOLERANCE = 0.02  # engines and their versions differ a little


def test_the_demo_is_what_the_default_model_hears() -> None:
    stored = json.loads((resources.files("stream_ser.web") / "demo.json").read_text("utf-8"))
    heard = trajectory()
    assert stored[0]["model"] == heard[0]["model"], "run python demos/make_page_demo.py"
    assert [(one["type"], one.get("t")) for one in stored] == [(one["type"], one.get("t")) for one in heard]
    for one, other in zip(stored, heard, strict=True):
        if one["type"] == "point":
            assert (one["state"], one["label"]) == (other["state"], other["label"])
            assert one["smoothed"] == pytest.approx(other["smoothed"], abs=TOLERANCE)


def test_it_is_made_of_messages_of_the_feed() -> None:
    stored = json.loads((resources.files("stream_ser.web") / "demo.json").read_text("utf-8"))
    ledger = dict.fromkeys(("capture_ms", "wait_ms", "compute_ms", "smooth_ms", "publish_ms")) | {
        "age_ms": 0.0,
        "lag_ms": 0.0,
    }
    for one in stored:
        assert problems({**one, "ledger": ledger} if one["type"] == "point" else one) == []
