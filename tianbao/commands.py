"""Interventions that make a worm reverse, steer or bend its head, shared by several experiments."""

from __future__ import annotations

from .apparatus import Pulse
from .worm import Worm

_AVA_CATION, _AVB_CHLORIDE, _HEAD_CHLORIDE = 3.0, 10.0, 5.0  # [nS] whole-cell
_VENTRAL, _DORSAL = ("SMDV*", "RMDV*", "RIV*"), ("SMDD*", "RMDD*")
_BIAS = 0.02  # [nA]


def back_up(worm: Worm, start: float, stop: float) -> Worm:
    """Make a worm reverse for a while: AVA excited, AVB silenced, SMD and RMD silenced.

    The head is silenced as by tyramine from RIM through LGC-55 in the animal (Pirri 2009); as tyramine is not modelled
    yet, light-gated channels are used.

    Args:
        worm: changed in place.
        start, stop: of the command [ms].
    """
    window = {"start": start, "stop": stop}
    worm.illuminate("AVA*", channel="cation", conductance=_AVA_CATION, **window)
    worm.illuminate("AVB*", channel="chloride", conductance=_AVB_CHLORIDE, **window)
    return worm.illuminate("SMD*", "RMD*", channel="chloride", conductance=_HEAD_CHLORIDE, **window)


def steer(worm: Worm, difference: float, start: float, stop: float) -> Worm:
    """Inject a current into the dorsal SMD neurons and its opposite into the ventral ones.

    Args:
        worm: changed in place.
        difference: current into SMDD [nA]; positive steers towards dorsal.
        start, stop: of the current [ms].
    """
    worm.stimulate("SMDD*", Pulse(difference, start, stop))
    return worm.stimulate("SMDV*", Pulse(-difference, start, stop))


def bend_head_to_ventral(worm: Worm, start: float, stop: float) -> Worm:
    """Inject current of opposite signs into the ventral and the dorsal neurons of the head.

    Args:
        worm: changed in place.
        start, stop: of the current [ms].
    """
    for neurons, current in ((_VENTRAL, _BIAS), (_DORSAL, -_BIAS)):
        for each in neurons:
            worm.stimulate(each, Pulse(current, start, stop))
    return worm
