"""medtf.data: bytes to tensors. The only place that uses TensorFlow directly; nothing is imported until it is wanted."""
