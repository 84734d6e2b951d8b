"""Sound in: sources, resampling, the sample ring and the voice activity detector (VAD)."""
