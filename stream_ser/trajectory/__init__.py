"""From what the model says of single windows to what may be said of a voice over time."""
