"""What a trajectory is written to: files that subscribe to the hub like any screen, but lose nothing."""
