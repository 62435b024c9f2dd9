"""Explanations of a run: its rows, maps of each, files and pages."""
