"""The channels of each neuron: class -> template -> declared -> expressed, every row with its source.

Active channels are in the soma (motor neurons are 80-100 % isopotential); the leak, and channels that catalogue.csv
places there, cover the whole membrane.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from ..errors import ConfigError, unknown
from ..units import density_s_per_cm2
from .channels import COUPLED, SPREAD, parameters
from .declared import class_row, declared_values, kept_channels
from .ensembles import member as ensemble_member
from .expression import absent, level, share_of_class
from .geometry import CellGeometry, constants
from .steady import GRID, open_share, rest_of, reversal
from .steady import conductances as steady_conductances
from .templates import CONDUCTANCES, Membrane, templates

MASKED = True
"""Whether channels whose genes a neuron does not express are absent from its membrane."""

# Potassium channels that do not inactivate, and a voltage [mV] at which the calcium channels are open.
_SUSTAINED = ("kqt3", "egl36", "egl2", "slo1_egl19", "slo2_egl19")
_PLATEAU = 0.0


def declared_release_half(neuron: str) -> float | None:
    """Voltage of half-maximal release declared for a neuron [mV]; None if the general value applies."""
    return declared_values(neuron).get("release_half")


def membrane(neuron: str, declared: bool = True, masked: bool | None = None, member: int = 0) -> Membrane:
    """Membrane of a neuron: the template of its class, modified by declared values and expression.

    Args:
        neuron: name.
        declared: False gives the nearest recorded cell as fitted, without the deviations declared for the
            closed loop and without removing channels.
        masked: whether channels whose genes the neuron does not express are absent; `MASKED` if None.
        member: of the ensemble of its template (`ensembles`); 0 is the best fit.

    Raises:
        ConfigError: for an unknown name in classes.csv or declared.csv, or a member that its template does not have.
    """
    return _membrane_of(neuron, declared, MASKED if masked is None else masked, member)


@cache
def _membrane_of(neuron: str, declared: bool, masked: bool, member: int) -> Membrane:
    row = class_row(neuron)
    name = row["template" if declared else "recorded"]
    if name not in templates():
        raise ConfigError(f"{row['where']}: {unknown('template', name, templates())}")
    base = ensemble_member(name, member)
    if not declared:
        return base
    base = _with_declared(base, neuron)
    return _as_expressed(base, neuron) if masked else base


def _with_declared(base: Membrane, neuron: str) -> Membrane:
    values = declared_values(neuron)
    own = {name: values[name] for name in ("leak", "leak_reversal", "egl19_shift") if name in values}
    totals = {**base.conductances, **{name: values[name] for name in values if name in CONDUCTANCES}}
    # A channel declared 0 is left out rather than kept without conductance.
    totals = {name: total for name, total in totals.items() if total > 0.0 or values.get(name) != 0.0}
    return replace(base, **own, conductances=totals)


def _as_expressed(base: Membrane, neuron: str) -> Membrane:
    kept = kept_channels(neuron)
    gone = frozenset(name for name in base.conductances if name not in kept and absent(neuron, name))
    if gone:
        base = compensate(base, gone, _heir(base, neuron, gone))
    if "class_share" in declared_values(neuron):
        return base
    shared = {name: value * share_of_class(neuron, name) for name, value in base.conductances.items()}
    return replace(base, conductances=shared)


def _heir(base: Membrane, neuron: str, gone: frozenset[str]) -> str | None:
    """Expressed sustained potassium channel that can compensate: preferably one of the template, then by mRNA level."""
    calcium = "egl19" in base.conductances and "egl19" not in gone
    possible = [name for name in _SUSTAINED if (calcium or "_" not in name) and level(neuron, name)]
    return max(possible, key=lambda name: (name in base.conductances, level(neuron, name)), default=None)


def compensate(base: Membrane, gone: frozenset[str], heir: str | None) -> Membrane:
    """Remove conductances from a membrane and compensate so that its steady current is unchanged at two voltages.

    The I-V curve of the recorded cell is data, whichever channel carries the current. At rest, the leak replaces the
    current of the absent channels, as a background conductance (TWK channels, outside the 14) would. At 0 mV, where
    the calcium channels are open, an expressed sustained potassium channel replaces their total current, if that
    was outward. At all other voltages, the voltage dependence is that of the channels that are expressed.

    Args:
        base: the membrane.
        gone: conductances to remove.
        heir: the sustained potassium channel; None leaves the calcium channels unopposed.
    """
    kept = {name: value for name, value in base.conductances.items() if name not in gone}
    without = replace(base, conductances=kept, absent=gone)
    rest = rest_of(base)
    if rest is None:
        return without
    curves = {name: curve for name, curve in steady_conductances(base).items() if name in gone}
    resting = {name: float(np.interp(rest, GRID, curve)) for name, curve in curves.items()}
    missing = sum(
        (float(np.interp(_PLATEAU, GRID, curve)) - resting[name]) * (_PLATEAU - reversal(name))
        for name, curve in curves.items()
    )
    if missing <= 0.0:
        heir = None
    if heir is not None:
        open_at = open_share(heir, np.array([rest, _PLATEAU]), base.egl19_shift)
        # The leak need not carry what the heir carries at rest.
        total = float(missing / ((open_at[1] - open_at[0]) * (_PLATEAU - reversal(heir))))
        kept[heir] = kept.get(heir, 0.0) + total
        resting[heir] = resting.get(heir, 0.0) - total * float(open_at[0])
    leak = base.leak + sum(resting.values())
    driven = base.leak * base.leak_reversal + sum(value * reversal(name) for name, value in resting.items())
    if leak < 0.0:
        # The heir would carry more current at rest than was removed: preserving the rest takes precedence.
        return compensate(base, gone, None)
    if leak == 0.0:
        return without
    return replace(without, conductances=kept, leak=leak, leak_reversal=driven / leak, heir=heir)


def insert_membrane(
    sections: dict[str, dict],
    cell: CellGeometry,
    membrane: Membrane,
    exponent: float,
    channel_set: str = "C19",
) -> None:
    """Add mechanisms and ions to NetPyNE section dictionaries, in place.

    Args:
        sections: from `CellGeometry.netpyne_sections`.
        cell: the same cell.
        membrane: whole-cell conductances.
        exponent: with which conductances increase with capacitance.
        channel_set: kinetic parameter set, "C19" or "H".
    """
    factor = membrane.scale(cell.capacitance, exponent)
    leak_density = membrane.densities.get("leak", density_s_per_cm2(membrane.leak * factor, cell.area))
    for section in sections.values():
        section["mechs"]["pas"] = {"g": leak_density, "e": membrane.leak_reversal}
        if membrane.axonal_nca is not None:
            section["mechs"]["nca"] = {"gbar": density_s_per_cm2(membrane.axonal_nca, cell.area)}
    soma = sections["soma"]
    soma_area = cell.cables[0].lateral_area()
    for name, total in membrane.conductances.items():
        channel, parameter = COUPLED.get(name, (name, "gbar"))
        own = {**parameters(channel, channel_set), **membrane.kinetics.get(channel, {})}
        places, area = (sections.values(), cell.area) if channel in SPREAD else ((soma,), soma_area)
        density = density_s_per_cm2(total * factor, area)
        if name in membrane.densities:  # given over the whole membrane, all of which a channel of the soma stands for
            density = membrane.densities[name] * cell.area / area
        for section in places:
            mechanism = section["mechs"].setdefault(channel, dict(own))
            mechanism[parameter] = mechanism.get(parameter, 0.0) + density
            if channel in ("egl19", "slo1", "slo2"):
                mechanism["shift"] = membrane.egl19_shift
    if {"egl19", "unc2", "cca1"} & set(soma["mechs"]):
        # The soma carries the calcium current of the whole cell, so its pool is the shell of the whole cell.
        soma["mechs"]["ca_pool"] = {"depth": constants()["pool_depth"] * cell.area / soma_area}
        soma["ions"] = {"ca": {"e": constants()["reversal_calcium"]}}
    soma.setdefault("ions", {})["k"] = {"e": constants()["reversal_potassium"]}
