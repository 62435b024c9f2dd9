"""Vision transformers, flat and named layer by layer."""
