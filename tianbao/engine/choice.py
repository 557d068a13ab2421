"""The engines by name, and which one a run takes."""

from __future__ import annotations

from ..errors import ConfigError, unknown

PRECISIONS = {
    "native": "f64",
    "native-f32": "f32",
    "native-tables": "f64-tables",
    "native-f32-tables": "f32-tables",
}
"""Variants of the native engine: equal to NEURON to rounding, in single precision, with rates from tables."""

ON_CARD = {"cuda": "f64", "cuda-f32": "f32"}
"""The same code on a graphics card, all worms of a kind at once; bodies stay on the processor."""

ENGINES = ("neuron", *PRECISIONS, *ON_CARD)
"""Names of every engine."""

AUTO = "auto"
"""The native engine, or NEURON for one worm where there is no C compiler."""


def chosen(engine: str, worms: int) -> str:
    """Resolve "auto", and check the choice of an engine.

    Args:
        engine: one of `ENGINES`, or `AUTO`.
        worms: how many there are.

    Raises:
        ConfigError: for an unknown engine, or several worms in NEURON, which numbers its cells per process.
    """
    if engine == AUTO:
        from ..compiler import is_at_hand  # with numpy, which the command line does without until it computes

        return "native" if worms > 1 or is_at_hand() else "neuron"
    if engine not in ENGINES:
        raise ConfigError(unknown("engine", engine, (AUTO, *ENGINES)))
    if engine == "neuron" and worms > 1:
        raise ConfigError(
            f"engine 'neuron' holds one brain per process, and there are {worms} worms: choose engine 'native', "
            "or run each worm in a process of its own"
        )
    return engine
