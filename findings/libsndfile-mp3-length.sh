#!/bin/sh
# Encoders that cannot go back write MP3 without a Xing or Info header. libsndfile then guesses the length from the first frames'
# size, and reads no further than the guess. Where those frames are larger than the later ones, sound is lost without an error:
# here the file begins with a second of noise at 160 kb/s and goes on at 8 kb/s.
# Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import soundfile

print("soundfile", soundfile.__version__, "with", soundfile.__libsndfile_version__)
# MPEG 2, layer III, 16 kHz, mono: frames of 576 samples; all bytes behind the header zero, which is silence
large = bytes((0xFF, 0xF3, 0xE8, 0xC4)) + bytes(72_000 * 160 // 16_000 - 4)
small = bytes((0xFF, 0xF3, 0x18, 0xC4)) + bytes(72_000 * 8 // 16_000 - 4)


def read(frames):
    path = f"{sys.argv[1]}/a.mp3"
    with open(path, "wb") as file:
        file.write(b"".join(frames))
    return len(soundfile.read(path)[0]) // 576


same, mixed = read(300 * [small]), read(28 * [large] + 272 * [small])
print("300 frames of one size:", same, "are read")
print("28 large frames and 272 small ones:", mixed, "are read")
sys.exit(0 if same == 300 and mixed < 150 else 1)
PYTHON
