"""The version, in the one place that everything reads it from; hatch too."""

__version__ = "0.1.0"
