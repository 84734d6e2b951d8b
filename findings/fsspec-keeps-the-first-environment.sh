#!/bin/sh
# s3fs reads AWS_ENDPOINT_URL, AWS_PROFILE, AWS_ACCESS_KEY_ID and the rest of the environment when a file system is made. But
# fsspec gives every later S3FileSystem() with the same arguments back from a cache, whose key is made of arguments, thread and
# process, not of the environment. A program (or a test) that changes these variables goes on talking to the first endpoint with
# the first account, through every fsspec.open("s3://…") too, and no error says so. skip_instance_cache=True takes the new ones.
# Needs python3. No network. Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet s3fs==2026.9.0 fsspec==2026.9.0
cd "$folder"
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

import fsspec
import s3fs

os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"


def where(key, **more):
    """The endpoint and the account's key that a file system made now talks with."""
    os.environ.update(AWS_ENDPOINT_URL=f"http://{key}.invalid:9000", AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY="x")
    system = s3fs.S3FileSystem(**more)
    client = fsspec.asyn.sync(system.loop, system.set_session)
    return client.meta.endpoint_url, client._get_credentials().access_key


first, second, third = where("first"), where("second"), where("third", skip_instance_cache=True)
print("s3fs", s3fs.__version__, "fsspec", fsspec.__version__)
print("environment says first:", *first)
print("environment says second:", *second)
print("environment says third, skip_instance_cache=True:", *third)
sys.exit(0 if first == second == ("http://first.invalid:9000", "first") and third[1] == "third" else 1)
PYTHON
