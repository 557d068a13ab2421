COMMENT
Touch transduction of a mechanoreceptor neuron: a conductance that opens when an indentation changes and closes again.

`indentation` points to how deep the body wall is pressed in at the ending (um). Channels hang on a viscoelastic element:
its anchor follows the indentation with `tau`, and what the channels feel is the strain between the two. Pressing in
strains it one way, letting go the other; `off` is the share of strain that counts when let go, `tonic` the share of the
indentation to which the ending does not adapt. The open probability approaches a Hill function of the strain with
`tau_rise`. finitialize() adapts the cell to what is there, and stops with an error while `indentation` is not set.

Source: the viscoelastic link between indentation and channel of Eastwood et al. 2015 (PNAS 112:E6955), reduced here to
one element and one population of channels; the parameters are rows of tianbao/sensing/touch.csv.
ENDCOMMENT

NEURON {
    POINT_PROCESS Mechanosensory
    NONSPECIFIC_CURRENT i
    POINTER indentation
    RANGE g_max, e, k_half, hill, tau, tau_rise, off, tonic, strain, i
    THREADSAFE
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (um) = (micron)
}

PARAMETER {
    g_max = 0 (uS)
    e = 10 (mV)
    k_half = 1.5 (um)
    hill = 3 (1)
    tau = 50 (ms)
    tau_rise = 2 (ms)
    off = 1 (1)
    tonic = 0 (1)
}

ASSIGNED {
    v (mV)
    indentation (um)
    strain (um)
    i (nA)
}

STATE {
    anchor (um)
    p_open (1)
}

INITIAL {
VERBATIM
    if (!nrn_pointing(&(indentation))) {
        hoc_execerror("Mechanosensory: 'indentation' points to nothing;",
            "set it with ending._ref_indentation = vector._ref_x[k]");
    }
ENDVERBATIM
    anchor = indentation
    strain = felt(indentation, anchor)
    p_open = opened(strain)
}

BREAKPOINT {
    SOLVE follow METHOD cnexp
    strain = felt(indentation, anchor)
    i = g_max*p_open*(v - e)
}

DERIVATIVE follow {
    anchor' = (indentation - anchor)/tau
    p_open' = (opened(felt(indentation, anchor)) - p_open)/tau_rise
}

FUNCTION felt(x (um), a (um)) (um) {
    felt = x - (1 - tonic)*a
    if (felt < 0) {
        felt = -off*felt
    }
}

FUNCTION opened(y (um)) (1) {
    LOCAL ratio
    : so that no power of nothing is taken
    ratio = 1
    if (y > 0) {
        ratio = y/k_half
    }
    opened = 0
    if (y > 0) {
        opened = ratio^hill/(ratio^hill + 1)
    }
}
