"""Figures of a judgement."""
