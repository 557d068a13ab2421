"""What integrates the nervous system: NEURON, or C generated from the same .mod files."""

from ..errors import ConfigError, unknown

PRECISIONS = {
    "native": "f64",
    "native-f32": "f32",
    "native-tables": "f64-tables",
    "native-f32-tables": "f32-tables",
}
"""Variants of the native engine: equal to NEURON to rounding, in single precision, with rates from tables."""

ENGINES = ("neuron", *PRECISIONS)
"""Names of every engine."""

AUTO = "auto"
"""Choice of an engine by the number of worms: NEURON for one, native for several."""


def chosen(engine: str, worms: int) -> str:
    """Resolve "auto", and check the choice of an engine.

    Args:
        engine: one of `ENGINES`, or `AUTO`.
        worms: how many there are.

    Raises:
        ConfigError: for an unknown engine, or several worms in NEURON, which numbers its cells per process.
    """
    if engine == AUTO:
        return "neuron" if worms == 1 else "native"
    if engine not in ENGINES:
        raise ConfigError(unknown("engine", engine, (AUTO, *ENGINES)))
    if engine == "neuron" and worms > 1:
        raise ConfigError(
            f"engine 'neuron' holds one brain per process, and there are {worms} worms: choose engine 'native', "
            "or run each worm in a process of its own"
        )
    return engine
