"""What `train.fit` is made of: the model that is fitted, its callbacks, the checkpoint."""
