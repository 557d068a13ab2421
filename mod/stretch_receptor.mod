COMMENT
Stretch receptor of a motor neuron: a saturating current that grows with the bending of the body.

`stretch` points to the mean of kappa L over the receptive window, signed so that positive means
the neuron's own side is stretched; positive stretch depolarises. One receptor may sit on
several compartments, each with its `share` of the current. finitialize() stops with an error
while `stretch` is not set. The network sets gain, saturation and share.
ENDCOMMENT

NEURON {
    POINT_PROCESS StretchReceptor
    NONSPECIFIC_CURRENT i
    POINTER stretch
    RANGE gain, saturation, share, i
    THREADSAFE
}

UNITS {
    (nA) = (nanoamp)
}

PARAMETER {
    gain = 0 (nA)
    saturation = 0.04 (nA)
    share = 1 (1)
}

ASSIGNED {
    stretch (1)
    i (nA)
}

INITIAL {
VERBATIM
    if (!nrn_pointing(&(stretch))) {
        hoc_execerror("StretchReceptor: 'stretch' points to nothing;",
            "set it with receptor._ref_stretch = vector._ref_x[k]");
    }
ENDVERBATIM
}

BREAKPOINT {
    i = 0
    if (saturation > 0) {
        i = -share*saturation*tanh(gain*stretch/saturation)
    }
}
