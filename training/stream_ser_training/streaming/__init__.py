"""The streaming benchmark: test streams with known changes, through the real pipeline, and figures of what it showed when."""
