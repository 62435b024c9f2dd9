"""Synthetic data in the real archives' layouts."""
