"""A recording that is closed by another thread than the one that plays it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stream_ser.audio.files.reader import SoundfileReader
from stream_ser.audio.recording import open_recording
from tests.audio.test_recording import make, tone


@pytest.mark.parametrize("paused", [False, True])
def test_close_from_another_thread_ends_a_waiting_stream_at_once(tmp_path: Path, paused: bool) -> None:
    recording = open_recording(make(tmp_path, "pcm.wav", tone(1.0)), speed=0.001)  # the first block is due after 20 s
    if paused:
        recording.pause()
    done = threading.Event()
    items: list[object] = []

    def run() -> None:
        items.extend(recording)
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    recording.close()
    assert done.wait(5.0)
    thread.join()
    assert items == []
    recording.close()
    assert list(recording) == []


def test_a_stream_that_begins_while_it_is_closed_leaves_the_file_to_the_one_who_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libsndfile frees what a file holds once more where two threads close it, and Ctrl-C may come before the first block."""
    recording = open_recording(make(tmp_path, "pcm.wav", tone(1.0)))
    items: list[object] = []
    closing = threading.Lock()
    both: list[bool] = []
    reader_close = SoundfileReader.close

    def close(reader: SoundfileReader) -> None:
        alone = closing.acquire(blocking=False)
        both.append(not alone)
        if not alone:
            return
        iterating.start()
        iterating.join(0.2)  # long enough for it to come to its own close, were it not kept from that
        reader_close(reader)
        closing.release()

    iterating = threading.Thread(target=lambda: items.extend(recording))
    monkeypatch.setattr(SoundfileReader, "close", close)
    recording.close()
    iterating.join(5.0)
    assert (items, both) == ([], [False])
