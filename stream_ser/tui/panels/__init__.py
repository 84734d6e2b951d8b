"""What the screen draws, a panel a file."""
