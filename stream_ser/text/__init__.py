"""Words for networks that read them: recognised from the sound, or taken from a transcript."""
