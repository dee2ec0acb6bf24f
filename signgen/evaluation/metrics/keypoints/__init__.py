"""Errors of key points found again in generated frames."""
