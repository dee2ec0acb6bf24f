"""From records to batches: triplets, augmentation, loading."""
