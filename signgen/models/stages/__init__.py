"""Stages that train parts of a model on what its trained stage 2 makes."""
