"""Scores of generated frames against true ones, and reports of them."""
