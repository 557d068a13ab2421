COMMENT
Sensory transduction that adapts: the current follows how much of the receptor is occupied, less a running average.

`concentration` points to the value of the field at the sensory ending, in the unit of the receptor (mM, degC or %).
Occupancy is a Hill function of how far it lies above `origin`; with a negative `hill` it rises as the field falls.
At and below `origin` nothing is sensed: 0 stands for a field that is absent, whatever its unit. `tau_rise` delays
occupancy, `weber` lets half occupancy follow the background, `tonic` is the share that does not adapt. `polarity`
chooses what the rest answers to: +1 a rise (ON), -1 a fall (OFF, which then depolarises), 0 both, a rise with a
depolarising and a fall with a hyperpolarising current. With `whole` above 0 the current saturates: a share `open` of
the transduction channels is open at rest, `whole` is the current of all of them, and `gain` stays the slope at rest;
little of it can be lost where few are open. finitialize() adapts the cell to what is there, and stops with
an error while `concentration` is not set.

Source: form of Izquierdo & Lockery 2010, with Hill function, background and tonic share; the parameters are rows of
tianbao/sensing/receptors.csv.
ENDCOMMENT

NEURON {
    POINT_PROCESS SensoryTransduction
    NONSPECIFIC_CURRENT i
    POINTER concentration
    RANGE gain, k_half, hill, origin, tau, tau_rise, weber, tonic, polarity, whole, open, response, i
    THREADSAFE
}

UNITS {
    (nA) = (nanoamp)
}

PARAMETER {
    gain = 0 (nA)
    k_half = 1 (1)
    hill = 1 (1)
    origin = 0 (1)
    tau = 1000 (ms)
    tau_rise = 0 (ms)
    weber = 0 (1)
    tonic = 0 (1)
    polarity = 0 (1)
    whole = 0 (nA)
    open = 0.5 (1)
}

ASSIGNED {
    concentration (1)
    response (1)
    i (nA)
}

STATE {
    background (1)
    bound (1)
    adaptation (1)
}

INITIAL {
VERBATIM
    if (!nrn_pointing(&(concentration))) {
        hoc_execerror("SensoryTransduction: 'concentration' points to nothing;",
            "set it with sensor._ref_concentration = vector._ref_x[k]");
    }
ENDVERBATIM
    background = above(concentration)
    bound = occupancy(concentration - origin, half(background))
    adaptation = bound
    response = 0
}

BREAKPOINT {
    SOLVE adapt METHOD cnexp
    response = felt(bound) - adaptation
    if (polarity < 0) {
        response = -response
    }
    if (polarity != 0 && response < 0) {
        response = 0
    }
    i = -limited(gain*((1 - tonic)*response + tonic*felt(bound)))
}

DERIVATIVE adapt {
    background' = (above(concentration) - background)/tau
    : a rise that takes no time still divides by it
    bound' = (occupancy(concentration - origin, half(background)) - bound)/(tau_rise + 1e-9)
    adaptation' = (felt(bound) - adaptation)/tau
}

FUNCTION limited(current (nA)) (nA) {
    LOCAL odds
    limited = current
    if (whole > 0 && current != 0) {
        : a Boltzmann function of the answer, with the slope `gain` at rest; finite where `whole` is 0, too
        odds = exp(-current/(whole*open*(1 - open) + 1e-12))*(1 - open)/open
        limited = whole*(1/(1 + odds) - open)
    }
}

FUNCTION above(c (1)) (1) {
    above = 0
    if (c > origin) {
        above = c - origin
    }
}

FUNCTION half(b (1)) (1) {
    half = k_half
    if (weber > 0) {
        half = k_half + weber*b
    }
}

FUNCTION felt(b (1)) (1) {
    if (tau_rise > 0) {
        felt = b
    } else {
        felt = occupancy(concentration - origin, half(background))
    }
}

FUNCTION occupancy(x (1), k (1)) (1) {
    LOCAL positive
    : so that no power of nothing is taken
    positive = 1
    if (x > 0) {
        positive = x
    }
    occupancy = 0
    if (x > 0) {
        occupancy = positive^hill/(positive^hill + k^hill)
    }
}
