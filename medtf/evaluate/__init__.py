"""Predictions in, judgement out: metrics, intervals, plots, report."""
