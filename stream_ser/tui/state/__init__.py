"""What the screen remembers of what it is shown."""
