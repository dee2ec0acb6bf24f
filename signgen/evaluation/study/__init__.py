"""A study with deaf raters: a blinded, randomised page that stands by itself, and its key."""
