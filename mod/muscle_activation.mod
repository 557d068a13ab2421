COMMENT
Activation of a muscle cell: a low-passed sigmoid of its voltage. It carries no current; the body
reads `a` (0 relaxed, 1 fully active) from muscle_activation.
ENDCOMMENT

NEURON {
    SUFFIX muscle_activation
    RANGE v_half, slope, tau, rate
    THREADSAFE
}

UNITS {
    (mV) = (millivolt)
}

PARAMETER {
    rate = 1 (1)
    v_half = -45 (mV)
    slope = 5 (mV)
    tau = 100 (ms)
}

ASSIGNED {
    v (mV)
}

STATE { a }

INITIAL {
    a = target(v)
}

BREAKPOINT {
    SOLVE activation METHOD cnexp
}

DERIVATIVE activation {
    a' = rate*(target(v) - a)/tau
}

FUNCTION target(v (mV)) (1) {
    target = 1/(1 + exp((v_half - v)/slope))
}
