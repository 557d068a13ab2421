COMMENT
Graded chemical synapse: the opening s follows a sigmoid of the presynaptic voltage.

`weight` is the conductance of the fully open synapse. `vpre` is filled by ParallelContext transfer
(NetPyNE pointerParams), hence RANGE and not POINTER. The network sets every parameter.
ENDCOMMENT

NEURON {
    POINT_PROCESS GradedSynapse
    NONSPECIFIC_CURRENT i
    RANGE weight, e, v_half, slope, tau, vpre, i
    GLOBAL rate
    THREADSAFE
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    rate = 1 (1)
    weight = 0 (uS)
    e = 0 (mV)
    v_half = -32 (mV)
    slope = 4 (mV)
    tau = 10 (ms)
    vpre = -65 (mV)
}

ASSIGNED {
    v (mV)
    i (nA)
    g (uS)
}

STATE { s }

INITIAL {
    s = release(vpre)
}

BREAKPOINT {
    SOLVE opening METHOD cnexp
    CONDUCTANCE g
    g = weight*s
    i = g*(v - e)
}

DERIVATIVE opening {
    s' = rate*(release(vpre) - s)/tau
}

FUNCTION release(vpre (mV)) (1) {
    release = 1/(1 + exp((v_half - vpre)/slope))
}
