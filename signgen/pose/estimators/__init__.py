"""Estimators of key points from frames, behind one protocol."""

from __future__ import annotations

from signgen.pose.estimators.base import Box, Frame, Person, PoseEstimator

__all__ = ["Box", "Frame", "Person", "PoseEstimator"]
