"""Silero VAD, which says how likely a frame holds speech: as a network, and as two ONNX graphs that the live system runs."""
