"""Splice the bundled recording from CREMA-D clips of two speakers that the shipped model never trained on.

The clips are those whose raters, hearing the voice only, most often agreed with what the actor was asked for; the model had
no say in the choice. Run: python demos/make_recording.py CREMA_D_FOLDER
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
SPEAKERS = ("1006", "1016")  # test side of the public fold 1; one woman, one man
SILENCE_S = (2.5, 3.0, 3.5, 3.0, 2.5)  # before each stretch and after the last: digital silence
STRETCH_S = 5.0  # a stretch takes clips until it is this long
OUT = Path(__file__).parent / "recording"


def choose(rows: list[dict[str, str]], speaker: str, emotion: str) -> list[dict[str, str]]:
    """The speaker's clips of an emotion that were heard as such, the most agreed first, until the stretch is long enough."""
    heard = [
        r for r in rows if r["speaker"] == speaker and r["emotion"] == emotion and r["voice_vote"] == emotion[0].upper()
    ]
    heard.sort(key=lambda r: (-float(r["voice_agreement"]), r["file"]))
    chosen: list[dict[str, str]] = []
    while heard and sum(float(r["duration_s"]) for r in chosen) < STRETCH_S:
        chosen.append(heard.pop(0))
    return chosen


def main(corpus: Path, out: Path = OUT) -> None:
    """Write conversation.flac and conversation.labels.json."""
    rows = list(csv.DictReader((corpus / "manifest.csv").open(encoding="utf-8")))
    parts: list[np.ndarray] = []
    labels: list[dict[str, object]] = []
    position = 0
    stretches = [(speaker, emotion) for speaker in SPEAKERS for emotion in ("happy", "sad")]
    for silence, (speaker, emotion) in zip(SILENCE_S, stretches, strict=False):
        parts.append(np.zeros(round(silence * RATE), dtype=np.float32))
        position += len(parts[-1])
        for row in choose(rows, speaker, emotion):
            samples, _ = soundfile.read(corpus / row["file"], dtype="float32")
            end = position + len(samples)
            labels.append({"start_s": position / RATE, "end_s": end / RATE, "speaker": speaker, "sex": row["sex"],
                           "intended": emotion, "raters_agreeing": round(float(row["voice_agreement"]), 2),
                           "clip": row["stem"], "text": row["transcript"]})  # fmt: skip
            parts.append(samples)
            position = end
    parts.append(np.zeros(round(SILENCE_S[-1] * RATE), dtype=np.float32))
    out.mkdir(exist_ok=True)
    soundfile.write(out / "conversation.flac", np.concatenate(parts), RATE, subtype="PCM_16")
    credit = (
        "CREMA-D (Cao, Cooper, Keutmann, Gur, Nenkova, Verma 2014), ODbL 1.0 and DbCL 1.0; clips spliced, silence added"
    )
    text = json.dumps({"credit": credit, "clips": labels}, indent=1)
    (out / "conversation.labels.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
