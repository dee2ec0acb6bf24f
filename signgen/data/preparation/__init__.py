"""From a corpus as people have it to a dataset that loaders read."""
