"""Random Keras layers on batches of volumes, one a file."""
