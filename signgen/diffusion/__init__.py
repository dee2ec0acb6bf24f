"""Diffusion without a model: schedule, samplers, noise and guidance.

Knows tensors and `Conditioning`, so that a sampler can be tested on a Gaussian whose denoiser is
known in closed form.
"""
