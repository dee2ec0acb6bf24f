"""One signer's motion with the proportions and place of another."""
