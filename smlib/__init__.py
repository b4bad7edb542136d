"""Deep learning for soil moisture: what the five studies of the book share."""

__version__ = "0.1.0"
