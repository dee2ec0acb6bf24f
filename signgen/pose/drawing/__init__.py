"""Key points drawn as pictures, the input of the pose encoder."""
