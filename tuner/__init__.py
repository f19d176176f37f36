"""Search the hyper-parameters of image-classification networks, and remember everything."""

__version__ = "0.1.0"
