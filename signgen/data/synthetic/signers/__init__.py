"""Who signers are: appearance drawn from a seed, and the garments, hair and skin that it names."""
