COMMENT
One side of an electrical synapse. `weight` is its conductance; two instances with equal weight, each
reading the other side's voltage, make a reciprocal junction. `vpre` is filled by ParallelContext
transfer (NetPyNE pointerParams), hence RANGE and not POINTER.
ENDCOMMENT

NEURON {
    POINT_PROCESS GapJunction
    NONSPECIFIC_CURRENT i
    RANGE weight, vpre, i
    THREADSAFE
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    weight = 0 (uS)
    vpre = -65 (mV)
}

ASSIGNED {
    v (mV)
    i (nA)
}

BREAKPOINT {
    i = weight*(v - vpre)
}
