COMMENT
Chemosensory transduction that adapts: the response is occupancy minus its own running average.

`concentration` points to the odorant or salt at the sensory ending. `polarity` chooses what the
cell answers to: +1 a rise (ON), -1 a fall (OFF, which then depolarises), 0 both, a rise with a
depolarising and a fall with a hyperpolarising current. finitialize() adapts the cell to what is
there, and stops with an error while `concentration` is not set.

Source: form of Izquierdo & Lockery 2010; gain, k_half, tau and polarity are set per class.
ENDCOMMENT

NEURON {
    POINT_PROCESS SensoryTransduction
    NONSPECIFIC_CURRENT i
    POINTER concentration
    RANGE gain, k_half, tau, polarity, response, i
    THREADSAFE
}

UNITS {
    (nA) = (nanoamp)
    (molar) = (1/liter)
    (mM) = (millimolar)
}

PARAMETER {
    gain = 0 (nA)
    k_half = 1 (mM)
    tau = 1000 (ms)
    polarity = 0 (1)
}

ASSIGNED {
    concentration (mM)
    response (1)
    i (nA)
}

STATE { adaptation }

INITIAL {
VERBATIM
    if (!nrn_pointing(&(concentration))) {
        hoc_execerror("SensoryTransduction: 'concentration' points to nothing;",
            "set it with sensor._ref_concentration = vector._ref_x[k]");
    }
ENDVERBATIM
    adaptation = occupancy(concentration)
    response = 0
}

BREAKPOINT {
    SOLVE adapt METHOD cnexp
    response = occupancy(concentration) - adaptation
    if (polarity < 0) {
        response = -response
    }
    if (polarity != 0 && response < 0) {
        response = 0
    }
    i = -gain*response
}

DERIVATIVE adapt {
    adaptation' = (occupancy(concentration) - adaptation)/tau
}

FUNCTION occupancy(c (mM)) (1) {
    occupancy = 0
    if (c > 0) {
        occupancy = c/(c + k_half)
    }
}
