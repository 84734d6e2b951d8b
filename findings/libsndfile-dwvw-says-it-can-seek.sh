#!/bin/sh
# libsndfile says of DWVW sound (the delta coding of some samplers, in AIFF and raw files) that one can go to a place in it, and
# then cannot: every seek fails with an error of the file beneath, even one to where it already is. python-soundfile believes
# it, and seeks beside each read, so soundfile.read and SoundFile.read fail on a whole file that the same library has just
# written. Nothing is wrong with the sound: read without those seeks, all of it is there. Of GSM and G.721, which cannot be
# sought in either, libsndfile says so, and reading them works.
# Needs python3 (3.10 or newer). Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import soundfile

RATE = 8_000


class Forward(soundfile.SoundFile):
    """Read without a seek beside each read."""

    def seekable(self):
        return False


def told(path):
    """Whether libsndfile says that one can seek, what reading comes to, and how many samples come without seeks."""
    with soundfile.SoundFile(path) as file:
        says = file.seekable()
    try:
        read = str(len(soundfile.read(path)[0]))
    except soundfile.LibsndfileError as error:
        read = str(error)
    with Forward(path) as file:
        return says, read, len(file.read(RATE))


sound = 0.5 * np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE)
found = {}
for subtype, container in (("DWVW_16", "AIFF"), ("DWVW_24", "AIFF"), ("GSM610", "AIFF"), ("PCM_16", "AIFF")):
    soundfile.write("sound.aiff", sound, RATE, format=container, subtype=subtype)
    found[subtype] = told("sound.aiff")
print("soundfile", soundfile.__version__, "libsndfile", soundfile.__libsndfile_version__)
for subtype, (says, read, whole) in found.items():
    print(f"{subtype}: seekable {says}; soundfile.read: {read}; read without seeks: {whole} samples")
wrong = (True, "Internal psf_fseek() failed.", RATE)
sys.exit(0 if found["DWVW_16"] == found["DWVW_24"] == wrong and found["GSM610"][:2] == (False, str(RATE)) else 1)
PYTHON
