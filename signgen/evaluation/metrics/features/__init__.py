"""Distances of sets of frames in the features of a network: FID, KID, FVD."""
