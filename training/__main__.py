"""``python -m training`` in a clone: the commands of ``stream_ser_training``, which lies in this folder."""

import sys
from pathlib import Path

for folder in ("models", "training"):  # so that it works before anything is installed, and in a second checkout
    sys.path.insert(1, str(Path(__file__).parents[1] / folder))

from stream_ser_training.__main__ import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
