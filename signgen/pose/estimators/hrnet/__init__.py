"""HRNet in plain PyTorch: 133 points of a signer, 21 points of a hand."""
