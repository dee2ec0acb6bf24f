"""What the frozen parts of a model make of the frames, computed once and mapped into memory."""
