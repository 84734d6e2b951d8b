#!/bin/sh
# Core Audio Format 1.0 lets the last chunk, "data", have the size -1: the sound goes on to the end of the file. That is what a
# recorder writes that cannot go back. libsndfile refuses such a file as malformed; with the real size it reads the same bytes.
# Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import struct
import sys

import soundfile

print("soundfile", soundfile.__version__, "with", soundfile.__libsndfile_version__)
sound = b"".join(struct.pack(">h", n * 37 % 20_000 - 10_000) for n in range(16_000))
description = struct.pack(">d4sIIIII", 16_000.0, b"lpcm", 0, 2, 1, 1, 16)
head = b"caff" + struct.pack(">HH", 1, 0) + b"desc" + struct.pack(">q", len(description)) + description


def read(size):
    path = f"{sys.argv[1]}/a.caf"
    with open(path, "wb") as file:
        file.write(head + b"data" + struct.pack(">q", size) + struct.pack(">I", 0) + sound)
    try:
        return f"{len(soundfile.read(path)[0])} frames"
    except soundfile.LibsndfileError as error:
        return error.error_string


known, to_the_end = read(4 + len(sound)), read(-1)
print("data of its real size:", known)
print("data of size -1:", to_the_end)
sys.exit(0 if known == "16000 frames" and "malformed" in to_the_end else 1)
PYTHON
