"""The gating variables of the channels over voltage, as computed by NEURON."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import mechanisms
from ..cells.channels import CHANNELS, parameters
from ..cells.geometry import constants
from ..errors import ConfigError, unknown
from .sections import build

GATES = {
    "shl1_m": ("shl1", "m_inf", "m_tau", "m"),
    "shl1_h_fast": ("shl1", "h_inf", "h_fast_tau", "h_fast"),
    "shl1_h_slow": ("shl1", "h_inf", "h_slow_tau", "h_slow"),
    "kvs1_m": ("kvs1", "m_inf", "m_tau", "m"),
    "kvs1_h": ("kvs1", "h_inf", "h_tau", "h"),
    "shk1_m": ("shk1", "m_inf", "m_tau", "m"),
    "shk1_h": ("shk1", "h_inf", "h_tau", "h"),
    "kqt3_m_fast": ("kqt3", "m_inf", "m_fast_tau", "m_fast"),
    "kqt3_m_slow": ("kqt3", "m_inf", "m_slow_tau", "m_slow"),
    "kqt3_w": ("kqt3", "w_inf", "w_tau", "w"),
    "kqt3_s": ("kqt3", "s_inf", "s_tau", "s"),
    "egl2_m": ("egl2", "m_inf", "m_tau", "m"),
    "egl36_m1": ("egl36", "m_inf", "m1_tau", "m1"),
    "egl36_m2": ("egl36", "m_inf", "m2_tau", "m2"),
    "egl36_m3": ("egl36", "m_inf", "m3_tau", "m3"),
    "irk_m": ("irk1", "m_inf", "m_tau", "m"),
    "cca1_m": ("cca1", "m_inf", "m_tau", "m"),
    "cca1_h": ("cca1", "h_inf", "h_tau", "h"),
    "unc2_m": ("unc2", "m_inf", "m_tau", "m"),
    "unc2_h": ("unc2", "h_inf", "h_tau", "h"),
    "egl19_m": ("egl19", "m_inf", "m_tau", "m"),
    "egl19_h": ("egl19", "h_inf", "h_tau", "h"),
    "slo1_egl19_m": ("slo1", "o_egl19_inf", "o_egl19_tau", "o_egl19"),
    "slo1_unc2_m": ("slo1", "o_unc2_inf", "o_unc2_tau", "o_unc2"),
    "slo2_egl19_m": ("slo2", "o_egl19_inf", "o_egl19_tau", "o_egl19"),
    "slo2_unc2_m": ("slo2", "o_unc2_inf", "o_unc2_tau", "o_unc2"),
}
"""Gate -> mechanism, and its names for steady state, time constant and state."""

VOLTAGES = np.arange(-120.0, 61.0, 1.0)
"""Voltages at which gates are evaluated for plots [mV]."""


def gates(channel: str, channel_set: str = "C19", voltages: Sequence[float] = VOLTAGES) -> pd.DataFrame:
    """Steady state and time constant of every gate of a channel.

    For SLO-1 and SLO-2, the opening is given with their calcium channel in its steady state.

    Args:
        channel: one of `CHANNELS`; those without a voltage-dependent gate (kcnl, nca) give an empty table.
        channel_set: "C19" or "H".
        voltages: [mV]

    Returns:
        Columns gate, voltage [mV], steady [1], tau [ms].

    Raises:
        ConfigError: for an unknown channel or set.
    """
    if channel not in CHANNELS:
        raise ConfigError(unknown("channel", channel, CHANNELS))
    mechanisms.load()
    from neuron import h

    opened = ("gbar_egl19", "gbar_unc2") if channel in ("slo1", "slo2") else ("gbar",)
    mechs = {channel: {**parameters(channel, channel_set), **dict.fromkeys(opened, 1e-4)}}
    ions = {"k": {"e": constants()["reversal_potassium"]}, "ca": {"e": constants()["reversal_calcium"]}}
    geometry = {"L": 10.0, "diam": 10.0}
    section = build({"ball": {"geom": geometry, "topol": {}, "mechs": mechs, "ions": ions}}, channel)["ball"]
    instance = getattr(section(0.5), channel)

    def value(name: str) -> float:
        """Value of a RANGE or GLOBAL variable of the channel."""
        return getattr(instance, name) if hasattr(instance, name) else getattr(h, f"{name}_{channel}")

    rows = []
    for voltage in voltages:
        h.finitialize(float(voltage))
        rows += [
            (gate, float(voltage), value(steady), value(tau))
            for gate, (mechanism, steady, tau, _) in GATES.items()
            if mechanism == channel
        ]
    return pd.DataFrame(rows, columns=["gate", "voltage", "steady", "tau"])
