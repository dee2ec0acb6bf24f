"""Pickles of others, read without running them, and the checkpoints that torch makes of them."""
