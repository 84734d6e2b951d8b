"""Scenes: a call leg written as text, a character a hop of half a second."""

from __future__ import annotations

from stream_ser.types import Point, State, Timing

LABELS = ("angry", "happy", "neutral", "sad")
DIMENSIONS = ("activation", "valence")
HOP = 8_000  # half a second
WINDOW = 32_000
STATES: dict[str, State] = {".": "silence", "-": "stale", "p": "paused", "w": "warming", "?": "uncertain", "x": "stale"}
LETTERS = "".join(STATES) + "0123456789"


def point(
    end: int,
    letter: str,
    *,
    stream: str = "c",
    smoothed: tuple[float, ...] | None = None,
    dimensions: tuple[float, ...] | None = None,
    level: float = -30.0,
    peak: float = -20.0,
) -> Point:
    """A digit is judged speech with p(angry) of as many tenths; of the others "x" is a dropped window, "?" speech too short."""
    judged = letter.isdigit()
    if judged and smoothed is None:
        angry = int(letter) / 10
        smoothed = (angry, 0.0, 1.0 - angry, 0.0)
    belief = smoothed or (0.25,) * 4
    sure = judged and max(belief) >= 0.6
    state = "speech" if sure else "uncertain" if judged else STATES[letter]
    return Point(
        stream=stream,
        start=max(0, end - (HOP if letter in "-p" else WINDOW)),
        end=end,
        state=state,
        label=LABELS[belief.index(max(belief))] if sure else None,
        confidence=max(belief) if judged else 0.0,
        raw=belief if judged else None,
        smoothed=belief,
        speech_s=0.0 if letter in "-pw." else 1.0,
        level_dbfs=level,
        peak_dbfs=peak,
        timing=Timing(0),
        dimensions=dimensions if judged else None,
    )


def scene(text: str, *, stream: str = "c", start: int = 0) -> list[Point]:
    """The points of a scene; blanks may set it out."""
    return [point(start + at * HOP, letter, stream=stream) for at, letter in enumerate(text.replace(" ", ""), 1)]


def seconds(sample: int) -> float:
    return sample / 16_000
