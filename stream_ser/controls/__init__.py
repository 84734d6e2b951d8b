"""What the screen's keys act on: a microphone, a recording, a feed, or a session that was recorded."""
