"""Parsing-guided reference attention after TruePose, reconstructed from its abstract."""
