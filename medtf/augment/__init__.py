"""Random Keras layers on the batch, one a file."""
