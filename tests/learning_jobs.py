"""Jobs for tests of the search: functions whose smallest value is known, run as a sweep does, without a worm."""

from __future__ import annotations

import math


def bowl(config, folder, video):
    """A bowl over the logarithm of one key and another, twenty times as steep along one; seeds cancel in their mean."""
    x, y = math.log10(config.parameters["gap_gain"]), config.parameters["cord_stretch_gain"]
    return {"depth": 20.0 * (x + 1.7) ** 2 + (y - 0.7) ** 2 + (0.5 if config.seed == 1 else -0.5)}


def fails_beyond(config, folder, video):
    """No value where the key is large."""
    if config.parameters["cord_stretch_gain"] > 0.5:
        raise ValueError("too large")
    return {"depth": -config.parameters["cord_stretch_gain"]}
