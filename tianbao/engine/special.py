"""Names to which NEURON gives a value of its own, wherever a .mod file declares them."""

from __future__ import annotations

from .syntax import Source, refused

GEOMETRY = ("diam", "area")
"""Of the compartment."""

SPECIAL = ("v", "t", "dt", "celsius", *GEOMETRY)
"""PARAMETER or ASSIGNED, declared or not, these are NEURON's."""


def resolve(source: Source) -> None:
    """Take NEURON's own names out of a mechanism's declarations, so that none is read as its own.

    Raises:
        MechanismError: where NEURON takes the declaration for something else than its own value.
    """
    declared = {
        "STATE": source.states, "CONSTANT": source.constants, "POINTER": source.pointers, "routine": source.routines,
    }  # fmt: skip
    for name in SPECIAL:
        for what, names in declared.items():
            if name in names:
                raise refused(source, f"the {what} '{name}', which is a name of NEURON's own")
        # NEURON keeps v its own; of the others it makes a second variable, or refuses them.
        for what, names in (("RANGE", source.range), ("GLOBAL", source.globals)):
            if name in names and name != "v":
                raise refused(source, f"'{name}' as {what}: NEURON then keeps a value beside its own")
        source.parameters.pop(name, None)
        for names in (source.assigned, source.range, source.globals):
            names.discard(name)
    both = sorted(source.range & source.globals)
    if both:
        raise refused(source, f"'{both[0]}' as RANGE and GLOBAL at once")
