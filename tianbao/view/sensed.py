"""What receptors sense over time, and the voltages of the neurons that have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..network.inputs import AMINES
from ..recorded import RecordedRun, WormTrack
from ..sensing import TouchSense, ending_units
from ..units import MS_PER_S
from . import settings, style

_WIDE = 9.0  # [inch]
_SENSED, _VOLTAGE, _MARGIN = 1.5, 0.95, 1.0  # heights [inch]
_LEAST_MV = 5.0  # half of the least range drawn; the noise of a resting neuron must not look like an answer
_COLOURS = ("#b8651b", "#3f6f8f", "#6f8f3a", "#8a4f8f", "#55565f")


@dataclass(frozen=True, eq=False)
class _Receptor:
    """One column of the inputs of a worm: the neuron, the field that it reads, and what it read."""

    neuron: str
    field: str
    unit: str
    values: np.ndarray


def has_receptors(recording: RecordedRun, worm: int) -> bool:
    """Whether a worm has receptors for something that is in its arena."""
    return bool(_receptors(recording, worm))


def sensed_size(recording: RecordedRun, worm: int) -> tuple[float, float]:
    """Figure size [inch]: a row per field, a row per neuron."""
    listed = _receptors(recording, worm)
    fields, neurons = {each.field for each in listed}, _drawn_alone(listed, recording.worms[worm])
    return _WIDE, _MARGIN + _SENSED * max(1, len(fields)) + _VOLTAGE * len(neurons)


def _drawn_alone(listed: list[_Receptor], track: WormTrack) -> list[str]:
    """Neurons that get a panel of their own: of the many that are touched only those that were recorded."""
    shown = (each.neuron for each in listed if each.field != TouchSense.name or each.neuron in track.neurons)
    return list(dict.fromkeys(shown))


def draw_sensed(figure: Figure, recording: RecordedRun, worm: int) -> None:
    """One panel per field with what its receptors read, then one per neuron with its soma voltage."""
    listed, track = _receptors(recording, worm), recording.worms[worm]
    if not listed or len(recording.time) < 2:
        sentence = "no receptor was recorded: give the arena a field, such as Gaussian('nacl', ...)"
        style.say(figure.add_subplot(), sentence if not listed else "fewer than two frames were recorded")
        return
    fields = list(dict.fromkeys(each.field for each in listed))
    neurons = _drawn_alone(listed, track)
    colour = {name: _COLOURS[k % len(_COLOURS)] for k, name in enumerate(neurons)}
    heights = [_SENSED] * len(fields) + [_VOLTAGE] * len(neurons)
    stack = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, field in zip(stack, fields, strict=False):
        _draw_field(axes, recording.time, [each for each in listed if each.field == field], colour)
    for axes, name in zip(stack[len(fields) :], neurons, strict=True):
        _draw_voltage(axes, track, name, colour[name])
    title = "what the receptors sense, and the soma voltages [mV] of their neurons"
    stack[0].set_title(title if len(recording.worms) == 1 else f"worm {worm}: {title}", loc="left")
    for axes in stack[:-1]:
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(bottom=False)
    stack[-1].set_xlabel("time [s]")
    stack[-1].set_xlim(0.0, recording.duration / MS_PER_S)
    figure.align_ylabels(stack)


def _receptors(recording: RecordedRun, worm: int) -> list[_Receptor]:
    """Receptors of a worm, without those of what the arena does not hold, and of touch if nothing touched."""
    track = recording.worms[worm]
    units = {each.name: each.unit for each in settings.fields(recording)}
    found = []
    for sense, values in track.inputs.items():
        if sense == AMINES or sense == TouchSense.name and not np.any(values):
            continue
        for name, column in zip(track.receptors[sense], np.asarray(values).T, strict=True):
            neuron, _, field = name.partition(" ")
            if field in units or field == sense or not units:
                found.append(_Receptor(neuron, field or sense, units.get(field, ending_units().get(sense, "")), column))
    return found


def _draw_field(axes: Axes, time_ms: np.ndarray, listed: list[_Receptor], colour: dict[str, str]) -> None:
    """Receptors that read the same share one line, named after all of them."""
    alike: list[list[_Receptor]] = []
    for each in listed:
        for group in alike:
            if np.array_equal(group[0].values, each.values, equal_nan=True):
                group.append(each)
                break
        else:
            alike.append([each])
    for group in alike:
        own = colour.setdefault(group[0].neuron, _COLOURS[len(colour) % len(_COLOURS)])
        tint = style.INK if len(group) > 1 and len(alike) == 1 else own
        label = ", ".join(each.neuron for each in group)
        axes.plot(time_ms / MS_PER_S, group[0].values, color=tint, linewidth=1.2, label=style.plain(label))
    unit = f" [{listed[0].unit}]" if listed[0].unit else ""
    axes.set_ylabel(style.plain(f"{listed[0].field}{unit}"))
    axes.legend(loc="best", frameon=False, fontsize=8.5)
    axes.margins(y=0.12)


def _draw_voltage(axes: Axes, track: WormTrack, name: str, colour: str) -> None:
    axes.set_ylabel(style.plain(name), color=colour, fontweight="bold")
    if name not in track.neurons or len(track.voltage_time) < 2:
        axes.set_yticks([])
        sentence = style.plain(f'not recorded: Simulation.record(voltage=["{name}", ...])')
        place = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, sentence, color=style.FAINT, fontsize=8.5, **place)
        return
    voltage = track.voltage[:, track.neurons.index(name)]
    axes.plot(track.voltage_time / MS_PER_S, voltage, color=colour, linewidth=1.1)
    middle = 0.5 * (float(voltage.max()) + float(voltage.min()))
    half = max(_LEAST_MV, 0.55 * float(np.ptp(voltage)))
    axes.set_ylim(middle - half, middle + half)
