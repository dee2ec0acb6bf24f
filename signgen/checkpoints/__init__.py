"""Run folders, atomic checkpoints and loading a model by name."""
