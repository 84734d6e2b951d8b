from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.silero_vad import CONTEXT, FRAME
from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.bench import vad as vad_report
from stream_ser.bench.vad import WAYS, Figures, answers, half, louder, telephone

RATE = 16_000


class Loud:
    """Takes for speech whatever it hears louder than -20 dBFS."""

    def encode(self, sound: np.ndarray) -> np.ndarray:
        return np.sqrt(np.mean(sound[:, CONTEXT:] ** 2, axis=1, keepdims=True))

    def step(self, encoded: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (encoded[:, 0] > 0.1).astype(np.float32), memory


def burst(seconds: float, level: float = 0.2) -> np.ndarray:
    return np.random.default_rng(3).normal(0, level, int(seconds * RATE)).astype(np.float32)


def tone(hertz: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize(("hertz", "decibels"), [(120, -20), (1_000, 0), (3_300, 0), (5_000, -40)])
def test_the_line_keeps_its_band_alone(hertz: float, decibels: float) -> None:
    heard = telephone(tone(hertz))
    assert len(heard) == RATE
    change = 20 * np.log10((np.std(heard[2_000:-2_000]) + 1e-9) / np.std(tone(hertz)))
    assert abs(change) < 0.5 if decibels == 0 else change < decibels


def test_the_line_shifts_nothing_in_time() -> None:
    sound = burst(0.5)
    lags = np.arange(-5, 6)
    heard = telephone(sound)
    likeness = [float(np.dot(np.roll(sound, lag), heard)) for lag in lags]
    assert lags[int(np.argmax(likeness))] == 0


def test_every_way_keeps_length_and_type() -> None:
    for name, way in WAYS.items():
        heard = way(burst(0.5))
        assert (heard.dtype, len(heard)) == (np.float32, RATE // 2), name
    assert np.abs(louder(12)(burst(0.5))).max() == 1.0
    assert np.mean(WAYS["wideband, DC"](burst(0.5))) == pytest.approx(10 ** (-23 / 20), abs=0.02)
    assert abs(np.mean(WAYS["wideband, DC blocked"](burst(0.5)))) < 0.01


def test_no_speaker_is_in_both_halves() -> None:
    def of(corpus: str, file: str, speaker: str = "") -> str:
        return half(corpus, {"file": f"audio/{file}", "speaker": speaker})

    for corpus in ("ravdess", "baved"):
        halves = {speaker: {of(corpus, f"{n}.flac", speaker) for n in range(5)} for speaker in map(str, range(20))}
        assert all(len(found) == 1 for found in halves.values())
        assert len(set.union(*halves.values())) == 2
    assert [of("esc10", f"{fold}-100-A.ogg") for fold in range(1, 6)] == ["tune"] * 2 + ["report"] * 3
    days = {of("emospeech", f"no-calm-20190710{n:06}-x.ogg", vad_report.UNKNOWN) for n in range(9)}
    assert len(days) == 1, "a day's clips may have one speaker"


def test_a_stream_is_answered_where_the_schedule_has_a_window() -> None:
    silence = np.zeros(2 * RATE, dtype=np.float32)

    def heard(*parts: np.ndarray) -> bool:
        return answers(VoiceActivityDetector(detector=Loud), np.concatenate(parts))

    assert heard(silence, burst(1.0), silence)
    assert not heard(silence, burst(0.1), silence)
    assert not heard(silence, silence)
    assert heard(burst(1.5)), "a short recording is padded"
    assert not heard(burst(0.3))


def test_figures_count_frames_and_clips() -> None:
    figures = Figures(is_speech=True)
    clip = np.concatenate([burst(0.5, 0.01), burst(1.5)])
    figures.add(Loud, clip, vad_report.loud_frames(clip))
    figures.add(Loud, np.zeros(RATE, dtype=np.float32), np.ones(10, dtype=np.bool_))
    assert (figures.clips, figures.answered, figures.alone) == (2, 1, 1)
    assert figures.frames == len(clip) // FRAME - 15 + 10
    assert figures.open < figures.counted < figures.frames - 9
    assert "no answer  50.0%" in str(figures)


def test_it_prints_a_row_for_each_set_and_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "emodb"
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as handle:
        table = csv.DictWriter(handle, ["file", "speaker", "sentence", "rms_dbfs"])
        table.writeheader()
        for speaker in range(6):
            soundfile.write(folder / f"{speaker}.wav", burst(0.6), RATE)
            table.writerow({"file": f"{speaker}.wav", "speaker": speaker, "sentence": "", "rms_dbfs": "-20"})
    counts = []
    for which in ("all", "tune", "report"):
        monkeypatch.setattr("sys.argv", ["vad", "--data", str(tmp_path), "--quick", "--half", which])
        vad_report.main()
        rows = capsys.readouterr().out.splitlines()
        assert [" ".join(row.split()[4:5]) for row in rows] == ["wideband", "telephone"]
        counts.append(int(rows[0].split()[2]))
    assert counts[0] == 6 == counts[1] + counts[2]
