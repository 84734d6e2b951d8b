#!/bin/sh
# How loud FFmpeg's resampler mixes channels to mono hangs on the sample format that is asked for. As 16-bit integers the mix
# never exceeds its channels; as floats the weights are left as they are, so the same stereo sound, its channels being equal, is
# 3 dB louder, four channels 7.7 dB and 5.1 sound 10.7 dB, far above full scale. What decodes one file as s16 in one place and as
# flt in another (training and serving, say) hears two levels. The format of the input makes no difference. One channel, or
# no mixing, keeps its level in both. Seen through PyAV, whose AudioResampler takes format and layout in one call.
# Needs python3 (3.11 or newer). Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import av
import numpy as np
from av import library_versions as versions

RATE, PEAK = 48_000, 0.5
LAYOUTS = {"mono": 1, "stereo": 2, "quad": 4, "5.1": 6}
tone = PEAK * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)


def peak(layout, given, asked):
    """The mix's peak, of full scale, where all channels are the tone."""
    sound = np.stack([tone] * LAYOUTS[layout])
    planes = (sound * 32_767).astype(np.int16) if given == "s16p" else sound.astype(np.float32)
    frame = av.AudioFrame.from_ndarray(planes, format=given, layout=layout)
    frame.sample_rate = RATE
    mix = av.AudioResampler(format=asked, layout="mono", rate=RATE).resample(frame)[0].to_ndarray()
    return float(np.abs(mix).max()) / (32_767 if asked == "s16p" else 1)


print("av", av.__version__, "libswresample", *versions["libswresample"])
found = {}
for layout in LAYOUTS:
    found[layout] = {asked: [peak(layout, given, asked) for given in ("s16p", "fltp")] for asked in ("s16p", "fltp")}
    gain = 20 * np.log10(found[layout]["fltp"][0] / found[layout]["s16p"][0])
    same = all(abs(one - other) < 1e-3 for one, other in found[layout].values())
    print(f"{layout} to mono: as s16p {found[layout]['s16p'][0]:.3f}, as fltp {found[layout]['fltp'][0]:.3f} of full scale, "
          f"{gain:+.1f} dB; input's format makes no difference: {same}")
kept = all(abs(peaks["s16p"][0] - PEAK) < 1e-3 for peaks in found.values()) and abs(found["mono"]["fltp"][0] - PEAK) < 1e-3
louder = {layout: round(peaks["fltp"][0] / PEAK, 2) for layout, peaks in found.items()}
sys.exit(0 if kept and louder == {"mono": 1.0, "stereo": 1.41, "quad": 2.41, "5.1": 3.41} else 1)
PYTHON
