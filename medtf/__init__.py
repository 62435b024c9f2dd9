"""medtf: train, judge and keep Keras models of medical images. For research; not a medical device."""

__version__ = "0.1.0"
