"""Diffusion without a model: schedule, samplers, noise and guidance."""
