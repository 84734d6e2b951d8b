"""Other people's frameworks for voice agents, each with an extra of its own, ``[pipecat]`` and ``[livekit]``."""
