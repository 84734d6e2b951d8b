#!/bin/sh
# A Creative Voice file keeps sound in blocks: one of type 9 (or 1) says what it is, and blocks of type 2 go on with it. ffmpeg
# writes blocks of 4 KB. libsndfile reads from the first block to the end of the file, and plays the header of each further block
# as two samples of sound: a click every 0.26 s, and what follows comes later by 0.25 ms each.
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
sound = b"".join(struct.pack("<h", n * 37 % 20_000 - 10_000) for n in range(8_000))
head = b"Creative Voice File\x1a\x1a\x00\x14\x01\x1f\x11"


def block(kind, data):
    return bytes([kind]) + len(data).to_bytes(3, "little") + data


def read(size):
    path = f"{sys.argv[1]}/a.voc"
    first = block(9, struct.pack("<IBBHI", 8_000, 16, 1, 4, 0) + sound[:size])
    with open(path, "wb") as file:
        file.write(head + first + b"".join(block(2, sound[at : at + size]) for at in range(size, len(sound), size)) + b"\0")
    return len(soundfile.read(path)[0])


one, many = read(len(sound)), read(4_096)
print("8000 samples in one block:", one, "are read")
print("8000 samples in blocks of 4096 bytes:", many, "are read")
sys.exit(0 if (one, many) == (8_000, 8_006) else 1)
PYTHON
