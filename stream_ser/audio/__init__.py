"""Sound in: sources, resampling, the sample ring and the speech gate."""
