"""The film of a generator's learning: what it makes of the same noise, from one evaluation to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import minigrad


class Film:
    """Pictures of the same noise, of one evaluation after the other; and their state, for a checkpoint."""

    def __init__(self) -> None:
        self.frames: dict[int, np.ndarray] = {}

    def add(self, step: int, images: np.ndarray) -> None:
        """A frame, uint8 (N, C, H, W); a step has one."""
        self.frames[step] = images

    @property
    def last(self) -> np.ndarray:
        """The newest frame."""
        return self.frames[max(self.frames)]

    def state_dict(self) -> dict[str, Any]:
        """The steps, and a frame for each."""
        frames = [minigrad.tensor(frame, device="cpu") for frame in self.frames.values()]
        return {"steps": list(self.frames), "frames": frames}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what ``state_dict`` gave."""
        self.frames = {step: frame.numpy() for step, frame in zip(state["steps"], state["frames"], strict=True)}
