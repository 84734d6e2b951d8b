"""stream-ser: hear, live, how speech sounds emotionally."""

__version__ = "0.1.0"
