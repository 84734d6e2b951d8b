#!/bin/sh
# python-soxr dithers whatever it gives as int16, and nothing can turn that off. So of 16-bit sound, which telephony and most
# recorders give, and of no other kind: digital silence comes out as noise of one step in a quarter of its samples (whoever
# looks for zeros finds none), two equal channels come out different (a mono recording stored as stereo is not known as one),
# "resampling" to the rate that it has changes a quarter of the samples, a stream cut into chunks is not the whole resampled at
# once, and after clear() a stream gives something else than a new one for the same sound. As float32 all five are exact.
# Needs python3 (3.10 or newer). Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soxr==1.1.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import soxr

FROM, TO, CHUNK = 44_100, 16_000, 4_410
tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(FROM) / FROM)).astype(np.int16)


def differ(one, other):
    return int(np.count_nonzero(one != other))


def wrong(dtype):
    """In how many samples each of the five is not what it should be."""
    sound, silence = tone.astype(dtype), np.zeros(FROM, dtype)
    both = soxr.resample(np.stack([sound, sound], axis=1), FROM, TO)
    stream = soxr.ResampleStream(FROM, TO, 1, dtype=dtype)

    def in_chunks():
        begins = range(0, len(sound), CHUNK)
        return np.concatenate(
            [stream.resample_chunk(sound[at : at + CHUNK], last=at + CHUNK >= len(sound)) for at in begins]
        )

    first = in_chunks()
    stream.clear()
    return {
        "silence that is none": int(np.count_nonzero(soxr.resample(silence, FROM, TO))),
        "equal channels apart": differ(both[:, 0], both[:, 1]),
        "changed at one rate": differ(soxr.resample(sound, FROM, FROM), sound),
        "chunks unlike the whole": differ(first, soxr.resample(sound, FROM, TO)),
        "unlike after clear()": differ(in_chunks(), first),
    }


found = {dtype: wrong(dtype) for dtype in ("int16", "float32")}
print("soxr", soxr.__version__, "of", TO, "samples,", FROM, "at one rate")
for what in found["int16"]:
    print(f"{what}: int16 {found['int16'][what]}, float32 {found['float32'][what]}")
sys.exit(0 if min(found["int16"].values()) > 3_000 and not any(found["float32"].values()) else 1)
PYTHON
