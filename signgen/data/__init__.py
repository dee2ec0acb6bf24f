"""Datasets: reading, drawing and pairing frames and poses."""
