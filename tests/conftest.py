"""Fixtures that several files share."""

import pytest


@pytest.fixture
def network():
    """The intact worm as it is assembled; for looking at, not for changing.

    NEURON holds one network at a time, so the shared one is assembled again whenever another test has replaced it.
    """
    from tianbao.network.assembly import Network

    if _Shared.network is None or not _Shared.network.alive:
        _Shared.network = Network(intact_design())
    return _Shared.network


def intact_design():
    """Design of the intact worm, with bends reported at the inner rings of a body of 48 slabs."""
    import numpy as np

    import tianbao as tb

    return tb.Worm().design(np.arange(1, 48) / 48)


class _Shared:
    """What is kept from one test to the next, whichever file it is in."""

    network = None
