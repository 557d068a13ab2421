"""The source of every membrane value of every neuron: one row per neuron and quantity.

Printed by `tianbao sources 'AWC*'`. Values are those used in the worm: whole-cell totals for the neuron's own
morphology, at the default parameters. Beside each stands that of the recorded cell which the neuron's class, or the
nearest recorded class, was fitted to (`PatchedCell.of_neuron`, `PatchedCell.of_template`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pandas as pd

from . import anatomy, parameters
from .cells import membrane as membranes
from .cells import steady
from .cells.declared import KEPT, class_row, declared_rows
from .cells.expression import absent, lacking, level, share_of_class
from .cells.geometry import CellGeometry, constants, geometry
from .cells.membrane import membrane
from .cells.templates import CONDUCTANCES, TEMPLATES, Membrane, recorded_neurons, templates
from .cells.tree import input_conductance
from .network.design import with_avb_drive
from .rows import read_rows
from .units import density_s_per_cm2

COLUMNS = (
    "neuron", "class", "quantity", "value", "unit", "fitted", "difference", "density", "tpm", "source", "certainty",
    "where",
)  # fmt: skip
"""Columns of `sources`: value in the worm, value in the recorded cell as fitted, and their difference, in the unit;
density [S/cm2] is over the whole membrane, tpm the mRNA level of the channel's genes."""

_CERTAINTY = ("low", "medium", "high")
_TPM_SOURCE = "CeNGEN (Taylor 2021)"
_AVB_SOURCE = "avb_conductance and avb_reversal, fitted: sims/fit_gaits.py; spread over the whole membrane"
_AVB_WHERE = "parameters.csv"
_STEADY = ("computed: steady state of the cell alone, reached from -60 mV", "medium", "cells/steady.py, cells/tree.py")


def sources(*patterns: str) -> pd.DataFrame:
    """Value, unit, source and certainty of every membrane quantity.

    Args:
        patterns: names or globs of neurons ("AWC*"); all 302 if none is given.

    Returns:
        One row per neuron and quantity, columns `COLUMNS`: capacitance [pF], rest [mV] and input resistance [GOhm] of
        the cell alone, leak [nS], leak_reversal [mV], every conductance [nS] including those that are 0, and gate
        parameters that are specific to a class [mV].

    Raises:
        AnatomyError: when a pattern matches no neuron.
    """
    names = anatomy.match_neurons(*(patterns or ("*",)))
    return pd.DataFrame([row for name in names for row in _rows(name)], columns=list(COLUMNS))


def _rows(neuron: str) -> list[tuple]:
    cell, p = _cell(neuron), parameters.defaults()
    base = membrane(neuron)
    alone = with_avb_drive(base, cell.capacitance, p).of_size(cell.capacitance, p.capacitance_exponent)
    recorded = membrane(neuron, declared=False)
    origins = _Origins(neuron, base)
    (rest, resistance), fitted_rest = _at_rest(alone, cell), _recorded_at_rest(recorded.template)
    rows = [
        ("capacitance", cell.capacitance, "pF", recorded.reference_capacitance, None, *_geometry_source()),
        ("rest", rest, "mV", fitted_rest[0], None, *_STEADY),
        ("input_resistance", resistance, "GOhm", fitted_rest[1], None, *_STEADY),
        ("leak", alone.leak, "nS", recorded.leak, None, *origins.leak("leak")),
        ("leak_reversal", alone.leak_reversal, "mV", recorded.leak_reversal, None, *origins.leak("leak_reversal")),
    ]
    if "egl19_shift" in origins.fitted or "egl19_shift" in origins.declared:
        origin = origins.plain("egl19_shift")
        rows.append(("egl19_shift", alone.egl19_shift, "mV", recorded.egl19_shift, None, *origin))
    for channel, values in base.kinetics.items():
        own = recorded.kinetics.get(channel, {})
        rows += [
            (key, value, origins.fitted[key]["unit"], own.get(name, math.nan), None, *origins.plain(key))
            for key, name, value in ((f"{channel}.{name}", name, value) for name, value in values.items())
        ]
    for name in CONDUCTANCES:
        total, fitted = (each.conductances.get(name, 0.0) for each in (alone, recorded))
        origin = origins.conductance(name)
        if name == "nca" and alone.axonal_nca is not None:
            total, origin = total + alone.axonal_nca, (_AVB_SOURCE, "low", _AVB_WHERE)
        rows.append((name, total, "nS", fitted, level(neuron, name), *origin))
    cls = anatomy.neuron_class(neuron)
    return [
        (
            neuron, cls, quantity, value, unit, fitted, value - fitted,
            density_s_per_cm2(value, cell.area) if unit == "nS" else None,
            tpm, source, certainty, where,
        )
        for quantity, value, unit, fitted, tpm, source, certainty, where in rows
    ]  # fmt: skip


def _at_rest(alone: Membrane, cell: CellGeometry) -> tuple[float, float]:
    """Resting potential [mV] and input resistance [GOhm] of an isolated cell; nan if it has no rest."""
    spread = alone.leak + (alone.axonal_nca or 0.0)
    felt = input_conductance(cell, spread) / spread if spread > 0.0 else 1.0
    nca = alone.conductances.get("nca", 0.0) + felt * (alone.axonal_nca or 0.0)
    soma = replace(alone, leak=felt * alone.leak, conductances={**alone.conductances, "nca": nca})
    rest = steady.rest_of(soma)
    return math.nan if rest is None else rest, steady.input_resistance(soma)


@cache
def _recorded_at_rest(template: str) -> tuple[float, float]:
    return _at_rest(templates()[template], _cell(recorded_neurons()[template]))


class _Origins:
    """The origin of each quantity of one neuron: source, certainty, file and row."""

    def __init__(self, neuron: str, base: Membrane) -> None:
        self.neuron, self.base = neuron, base
        self.row = class_row(neuron)
        self.fitted = _template_rows()[self.row["template"]]
        self.declared = declared_rows(neuron)

    def _via_class(self, source: str, certainty: str, where: str) -> tuple[str, str, str]:
        text = f"{source}; {self.row['template']} for {self.row['class']}: {self.row['source']}"
        return text, _weaker(certainty, self.row["certainty"]), f"{where}; {self.row['where']}"

    def plain(self, quantity: str) -> tuple[str, str, str]:
        """A value of the template, or a declared one."""
        if quantity in self.declared and self.declared[quantity]["value"] != KEPT:
            row = self.declared[quantity]
            return row["source"], row["certainty"], row["where"]
        if quantity in self.fitted:
            row = self.fitted[quantity]
            return self._via_class(row["source"], row["certainty"], row["where"])
        return self._via_class(f"template {self.row['template']} has none", self.row["certainty"], "templates.csv")

    def leak(self, quantity: str) -> tuple[str, str, str]:
        """The leak, which replaces the resting current of absent channels."""
        if self.base.template == "avb":
            return _AVB_SOURCE, "low", _AVB_WHERE
        source, certainty, where = self.plain(quantity)
        if not self.base.absent:
            return source, certainty, where
        gone = ", ".join(sorted(self.base.absent))
        return f"{source}; with the resting share of {gone}, not expressed (docs/membranes.md)", "low", where

    def conductance(self, name: str) -> tuple[str, str, str]:
        """A channel: fitted, declared, compensating or absent."""
        if name in self.base.absent:
            place = f"expression.csv, {self.neuron}"
            return f"absent: {lacking(self.neuron, name)} not detected, {_TPM_SOURCE}", "medium", place
        source, certainty, where = self.plain(name)
        if name not in self.fitted and name != self.base.heir and absent(self.neuron, name):
            source += f"; and {lacking(self.neuron, name)} not detected, {_TPM_SOURCE}"
        kept = self.declared.get(name)
        if kept is not None and kept["value"] == KEPT and name in self.base.conductances:
            source, where = f"{source}; kept: {kept['source']}", f"{where}; {kept['where']}"
            certainty = _weaker(certainty, kept["certainty"])
        if name == self.base.heir:
            source += "; replaces at 0 mV the current of channels that are not expressed (docs/membranes.md)"
            certainty = "low"
        share = share_of_class(self.neuron, name)
        if membranes.MASKED and share != 1.0 and name in self.base.conductances and "class_share" not in self.declared:
            source += f"; x {share:.3g} for its mRNA level within the class, {_TPM_SOURCE}"
            certainty = "low"
        return source, certainty, where


def _weaker(first: str, second: str) -> str:
    return min(first, second, key=_CERTAINTY.index)


@cache
def _cell(neuron: str) -> CellGeometry:
    return geometry(anatomy.morphology(neuron))


def _geometry_source() -> tuple[str, str, str]:
    product = f"area of the traced morphology x {constants()['membrane_capacitance']:g} uF/cm2"
    return f"{product}; standard specific capacitance of neurons", "medium", "morphologies/; cell.csv"


@cache
def _template_rows() -> dict[str, dict[str, dict[str, str]]]:
    """Template -> quantity -> row of templates.csv, with file and row number under "where"."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for where, row in read_rows(TEMPLATES):
        found.setdefault(row["template"], {})[row["quantity"]] = {**row, "where": where}
    return found
