"""Metrics: numbers about generated frames, each with an interval and a signature."""
