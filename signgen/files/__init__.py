"""What any room may need of a file: writing, archives, the hub, weights, files of strangers."""
