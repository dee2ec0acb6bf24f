"""Rendered signers: a corpus that may be shipped and trained on."""
