"""A trained policy as a file of numbers: read and used with numpy alone.

    policy = Policy.load("output/swim/policy.npz")
    action = policy(observation)

`examples/ppo.py` writes such files; whoever trains by other means makes a `Policy` of the layers and saves it.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import ConfigError, OutputError, shorten, unknown
from ..io.files import write_atomically

FORMAT = 1
"""Of the file; a file of another format is refused."""
TRAINED = Path(__file__).with_name("trained")
"""Folder of policies that come with Tianbao, each beside how it was made."""
_EPSILON = 1e-8
_LARGEST_FILE = 1 << 28  # bytes: a policy of 64 million numbers, far above any of these
_ONE_OF_EACH = ("format", "mean", "variance", "limit", "low", "high")


class Policy:
    """A multilayer perceptron between a normalised observation and an action, with tanh between its layers.

    The action is the mean of what was trained, without exploration. In a continuous space it is clipped to -1..1 and
    stretched to the space's limits, where these are finite; in a discrete one it is the number of the largest output.

    Args:
        weights: of each layer, shape (outputs, inputs).
        biases: of each layer, shape (outputs,).
        mean, variance: of the observations it was trained with, by which they are normalised, shape (inputs,).
        limit: to which normalised observations are clipped, in standard deviations.
        low, high: limits of the action, shape (outputs,); None for a discrete space.

    Raises:
        ConfigError: for layers that do not fit each other, or numbers that are not finite.
    """

    def __init__(
        self,
        weights: Sequence[np.ndarray],
        biases: Sequence[np.ndarray],
        mean: np.ndarray,
        variance: np.ndarray,
        *,
        limit: float = 10.0,
        low: np.ndarray | None = None,
        high: np.ndarray | None = None,
    ) -> None:
        self.weights = [np.asarray(each, float) for each in weights]
        self.biases = [np.asarray(each, float) for each in biases]
        self.mean, self.variance, self.limit = np.asarray(mean, float), np.asarray(variance, float), float(limit)
        self.low, self.high = (None if each is None else np.asarray(each, float) for each in (low, high))
        self._check()

    def _check(self) -> None:
        """Refuse layers that do not fit."""
        layers = [*self.weights, *self.biases, self.mean, self.variance]
        if not self.weights or len(self.weights) != len(self.biases):
            raise ConfigError(f"policy: {len(self.weights)} weights, {len(self.biases)} biases; give as many of each")
        if not all(np.isfinite(each).all() for each in layers) or not self.limit > 0 or (self.variance < 0).any():
            raise ConfigError("policy: a weight, a mean or a variance is not a finite number; train it again")
        inputs = self.mean.shape
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if weight.ndim != 2 or weight.shape[1:] != inputs or bias.shape != weight.shape[:1]:
                shapes = f"{weight.shape} and a bias of {bias.shape}"
                raise ConfigError(f"policy: layer {k} has shape {shapes} for inputs of {inputs}; give layers that fit")
            inputs = bias.shape
        limits = (self.low, self.high)
        if self.variance.shape != self.mean.shape or (self.low is None) != (self.high is None):
            raise ConfigError("policy: give a mean and a variance of each input, and both limits of the action or none")
        if any(each is not None and each.shape != inputs for each in limits):
            raise ConfigError(f"policy: the limits of the action do not fit {inputs[0]} outputs")

    def outputs(self, observation: np.ndarray) -> np.ndarray:
        """What the last layer gives, before it becomes an action.

        Args:
            observation: shape (..., inputs), as the environment gives it.

        Returns:
            Shape (..., outputs).

        Raises:
            ConfigError: for an observation of another size.
        """
        seen = np.asarray(observation, float)
        if seen.shape[-1:] != self.mean.shape:
            raise ConfigError(f"policy: an observation of shape {seen.shape}; give one of {self.mean.size} values")
        x = np.clip((seen - self.mean) / np.sqrt(self.variance + _EPSILON), -self.limit, self.limit)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.tanh(x @ weight.T + bias)
        return x @ self.weights[-1].T + self.biases[-1]

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """The action for an observation, or for each of a batch.

        Args:
            observation: shape (..., inputs), as the environment gives it.

        Returns:
            Shape (..., outputs), float32; for a discrete space (...,), int64.
        """
        out = self.outputs(observation)
        return out.argmax(-1) if self.low is None else stretched(out, self.low, self.high).astype(np.float32)

    def save(self, path: str | Path) -> Path:
        """Write it to a file, atomically.

        Args:
            path: of the .npz file.

        Raises:
            OutputError: if the file cannot be written.
        """
        layers = {f"weight_{k}": each for k, each in enumerate(self.weights)}
        layers |= {f"bias_{k}": each for k, each in enumerate(self.biases)}
        layers |= {name: getattr(self, name) for name in ("mean", "variance", "limit")}
        layers |= {name: np.empty(0) if (each := getattr(self, name)) is None else each for name in ("low", "high")}
        buffer = io.BytesIO()
        np.savez(buffer, format=FORMAT, **layers)
        return write_atomically(path, buffer.getvalue())

    @classmethod
    def trained(cls, name: str) -> Policy:
        """One of those that come with Tianbao.

        Args:
            name: such as "swim"; docs/learning/training.md says what each does, trained/policies.csv how it was made.

        Raises:
            ConfigError: for another name.
        """
        known = sorted(path.stem for path in TRAINED.glob("*.npz"))
        if name not in known:
            raise ConfigError(unknown("trained policy", str(name), known))
        return cls.load(TRAINED / f"{name}.npz")

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read it from a file that `save` wrote; nothing in the file is executed.

        Args:
            path: of the .npz file.

        Raises:
            OutputError: if there is no such file, or it is not a policy.
        """
        if not isinstance(path, (str, os.PathLike)) or not os.path.isfile(path):
            raise OutputError(f"there is no file {shorten(path)}; give the policy.npz of a training")
        if os.path.getsize(path) > _LARGEST_FILE:
            raise OutputError(f"{shorten(path)} is too large for a policy; give the policy.npz of a training")
        try:
            with np.load(path, allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise OutputError(f"{shorten(path)} is not a policy: {shorten(error)}") from error
        count = sum(name.startswith("weight_") for name in held)
        wanted = [*_ONE_OF_EACH, *(f"{what}_{k}" for what in ("weight", "bias") for k in range(count))]
        if count < 1 or any(name not in held for name in wanted) or held["format"].tolist() != FORMAT:
            raise OutputError(f"{shorten(path)} is not a policy of format {FORMAT}; give the policy.npz of a training")
        weights, biases = ([held[f"{what}_{k}"] for k in range(count)] for what in ("weight", "bias"))
        low, high = (held[name] if held[name].size else None for name in ("low", "high"))
        try:
            return cls(weights, biases, held["mean"], held["variance"], limit=held["limit"], low=low, high=high)
        except (ConfigError, TypeError, ValueError) as error:
            raise OutputError(f"{shorten(path)} does not hold a policy that can be used: {shorten(error)}") from error


def stretched(raw: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """An action of the space's own scale from one between -1 and 1, beyond which it is clipped.

    Args:
        raw: shape (..., outputs).
        low, high: limits, shape (outputs,); where one is infinite, the raw value passes within the other.

    Returns:
        Shape (..., outputs).
    """
    finite = np.isfinite(low) & np.isfinite(high)
    low_, high_ = np.where(finite, low, -1.0), np.where(finite, high, 1.0)
    return np.where(finite, 0.5 * (low_ + high_) + 0.5 * (high_ - low_) * np.clip(raw, -1, 1), np.clip(raw, low, high))
