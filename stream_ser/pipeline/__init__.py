"""One stream from its sound to the hub; who drives one, and who drives many."""
