"""Where a video comes from: what it was made of, marks that say it is synthetic, signatures."""
