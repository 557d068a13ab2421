"""Plots of an exported NetPyNE model that suit graded neurons: what `simConfig.analysis` holds unless it is changed.

NetPyNE's own defaults draw all 397 cells: a legend of as many entries, a connectivity matrix of 397 names, the muscles
as a box around the neurons. A raster is empty, since these neurons do not spike.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import anatomy

CLASSES = ("AVA", "AVB", "PVC", "DA", "DB", "VA", "VB", "DD", "VD")
"""Classes whose connectivity is drawn: command interneurons and motor neurons of the cord."""

_TRACES = {"oneFigPer": "trace", "overlay": True, "saveFig": True}
_MOST_IN_LEGEND = 12


def default_plots(recorded: Sequence[str], cells: Sequence[str]) -> dict[str, dict]:
    """NetPyNE's plots and their options.

    Args:
        recorded: neurons whose voltages are recorded.
        cells: all cells of the model.
    """
    neurons = anatomy.neurons()
    bodies = [name for name in cells if name in neurons.index]
    wired = [name for name in bodies if neurons.loc[name, "class"] in CLASSES] or bodies[:_MOST_IN_LEGEND]
    plots: dict[str, dict] = {}
    if recorded:
        names = list(recorded)
        plots["plotTraces"] = {"include": names, **_TRACES}
        plots["plot2Dnet"] = {"include": names[:_MOST_IN_LEGEND], "figSize": (8, 8), "fontSize": 8, "saveFig": True}
    if wired:
        matrix = {"feature": "weight", "groupBy": "pop", "figSize": (10, 10), "fontSize": 7, "saveFig": True}
        plots["plotConn"] = {"includePre": wired, "includePost": wired, **matrix}
        # Seen from the side, since the body lies along y. All 302 neurons would take half a minute.
        view = {"elev": 0, "azim": 0, "figSize": (12, 12), "saveFig": True}
        shown = [name for name in bodies if name in {*wired, *recorded}]
        plots["plotShape"] = {"includePre": [], "includePost": shown, **view}
    return plots
