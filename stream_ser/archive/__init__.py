"""Many recordings, wherever they lie: what is to do, one recording's results whole or not at all, and who does them."""
