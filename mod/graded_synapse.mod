COMMENT
Graded chemical synapse: the opening s follows a sigmoid of the presynaptic voltage.

`weight` is the conductance of the fully open synapse. `vpre` is filled by ParallelContext transfer
(NetPyNE pointerParams), hence RANGE and not POINTER. The network sets every parameter.
ENDCOMMENT

NEURON {
    POINT_PROCESS GradedSynapse
    NONSPECIFIC_CURRENT i
    RANGE weight, e, v_half, slope, tau, vpre, i
    RANGE rate, modulated
    THREADSAFE : must stand before POINTER
    POINTER modulation
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    rate = 1 (1)
    modulated = 0 (1)
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
    modulation (1)
}

STATE { s }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("GradedSynapse: 'modulation' points to nothing;",
                "set it with synapse._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    s = release(vpre)
}

BREAKPOINT {
    SOLVE opening METHOD cnexp
    CONDUCTANCE g
    g = weight*s
    if (modulated != 0) {
        g = modulation*g
    }
    i = g*(v - e)
}

DERIVATIVE opening {
    s' = rate*(release(vpre) - s)/tau
}

FUNCTION release(vpre (mV)) (1) {
    release = 1/(1 + exp((v_half - vpre)/slope))
}
