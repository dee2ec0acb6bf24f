"""Checkpoints of the published FPDM program become model folders."""
