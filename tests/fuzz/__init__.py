"""``python -m tests.fuzz``: fuzzing of whatever reads what others write, guided by coverage (atheris, libFuzzer).

Where hypothesis draws from what a test describes (``tests/calls/fuzz.py``), this keeps every input that reaches new code and
goes on from there. ``corpus/NAME`` has the inputs that each target begins with; small, and readable where the format is.
"""
