"""``python -m tests.mutants``: break the code in small ways, each in a copy of the tree, and see whether a test notices.

A sample of mutants is drawn by seed from the packages below (``operators``), each is met by the tests that were recorded to
run its line (``recorder``, ``choosing``), in a copy of the tree and within a time limit (``trial``). Results are kept as they
come, so a run that was broken off goes on where it stopped.
"""

PACKAGES = ("audio", "calls", "feed", "server", "store", "trajectory")  # of stream_ser, whose code is mutated
