"""``stream-ser bench``: what a window, a hop, a stream, a second of sound and a start cost on this machine.

A measuring command, not a test: its figures are of this machine now. ``run`` starts every part in a fresh process that is
kept to one core and one thread, one after the other, so that no part weighs on another.
"""
