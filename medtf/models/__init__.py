"""Backbones, heads and build()."""
