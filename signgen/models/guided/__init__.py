"""Decoders that see the drawn pose and the source moved to it, and copy what they can."""
