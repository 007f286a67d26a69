"""Tests of Strongroom; what they share is imported as `tests.<folder>.<module>`."""
