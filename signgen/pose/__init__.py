"""Key points: skeletons, file formats, drawing and transforms."""
