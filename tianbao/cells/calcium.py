"""Reversal potential of calcium currents: a number, or Nernst's for the calcium inside the membrane.

The worm's own is a number, `reversal_calcium` in cell.csv, where its justification stands. The published models
of 2024 let NEURON compute it, and a patched neuron can be given either.
"""

from __future__ import annotations

import math

from ..errors import ConfigError, shorten
from ..rows import number
from .geometry import constants

NERNST = "nernst"
"""Asks for Nernst's potential instead of a number."""

READERS = {"egl19", "unc2", "cca1", "slo1", "slo2", "slo1_iso", "slo2_iso", "kcnl", "ca_pool", "ca_shell"}
"""Every mechanism that reads or writes the calcium ion."""

_WRITERS = {"ca_pool", "ca_shell"}
_FARADAY, _GAS = 96485.33212, 8.31446262  # C/mol, J/(mol K)
_ZERO_CELSIUS = 273.15  # K
_MOST = 300.0  # mV, beyond which another unit was meant


def checked(e_ca: float | str) -> float | str:
    """A reversal potential of calcium as a user gives it.

    Returns:
        A number [mV], or `NERNST`.

    Raises:
        ConfigError: for anything else.
    """
    if isinstance(e_ca, str):
        if e_ca.strip().lower() == NERNST:
            return NERNST
        raise ConfigError(f"e_ca = '{shorten(e_ca)}': give a number in mV, or '{NERNST}'")
    return number(e_ca, "calcium", "e_ca", "mV", low=-_MOST, high=_MOST)


def nernst(inside: float, outside: float, celsius: float) -> float:
    """Nernst's potential of calcium [mV].

    Args:
        inside, outside: concentrations, in the same unit.
        celsius: temperature [degC].
    """
    return 1e3 * _GAS * (celsius + _ZERO_CELSIUS) / (2.0 * _FARADAY) * math.log(outside / inside)


def ion(mechs: set[str] | dict, e_ca: float | str, celsius: float) -> dict[str, float]:
    """Entry of the calcium ion in a section dictionary, for `electrophysiology.sections.build`.

    Nernst's potential follows the concentration inside, so it is left to NEURON where a mechanism moves that
    concentration, and is a number where none does.

    Args:
        mechs: mechanisms of the section.
        e_ca: number [mV] or `NERNST`.
        celsius: temperature of Nernst's potential [degC], if it is a number.

    Returns:
        "i" and "o" [mM], and "e" [mV] where it is held.
    """
    inside, outside = constants()["calcium_inside"], constants()["calcium_outside"]
    concentrations = {"i": inside, "o": outside}
    if e_ca != NERNST:
        return {**concentrations, "e": e_ca}
    if _WRITERS & set(mechs):
        return concentrations
    return {**concentrations, "e": nernst(inside, outside, celsius)}


def set_reversal(sections: dict[str, dict], e_ca: float | str | None, celsius: float) -> None:
    """Give the calcium currents of a cell another reversal potential, in place.

    Args:
        sections: with their membrane, see `membrane.insert_membrane`.
        e_ca: number [mV] or `NERNST`; None leaves the sections as they are.
        celsius: temperature of the cell [degC].

    Raises:
        ConfigError: for what is neither.
    """
    if e_ca is None:
        return
    e_ca = checked(e_ca)
    for section in sections.values():
        if "ca" in section.get("ions", {}):
            section["ions"]["ca"] = ion(section["mechs"], e_ca, celsius)
