"""Models out to the hub, and in from published checkpoints."""
