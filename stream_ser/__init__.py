"""stream-ser: hear, live, how speech sounds emotionally."""

import os

from stream_ser._version import __version__ as __version__

# ONNX Runtime's builds for Linux tell Microsoft about models and machines from version 1.29 on, unless this is set before
# they are imported. This program tells nobody anything that it was not asked to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
