"""What is done to frames after they are rendered: calmed over time, another background."""
