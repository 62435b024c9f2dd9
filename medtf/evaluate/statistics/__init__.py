"""Intervals and tests: numbers in, numbers out; each file cites its paper."""
