"""When a window is due, who computes it, and on what."""
