"""LPIPS and its network."""
