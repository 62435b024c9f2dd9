"""A heat map against what experts marked: arrays in, numbers out; no Keras, no TensorFlow, no files."""
