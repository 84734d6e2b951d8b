"""``python -m stream_ser.cli``: the same as ``stream-ser``."""

from stream_ser.cli.main import entry

if __name__ == "__main__":
    entry()
