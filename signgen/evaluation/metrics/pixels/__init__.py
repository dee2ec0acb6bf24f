"""Metrics of the pixels of single frames."""
