"""Frames at training size in files that are mapped into memory."""
