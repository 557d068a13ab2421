COMMENT
Graded chemical synapse that tires: release is proportional to the vesicles at hand, and uses them up.

Two pools in series. `available` is the filled share of the pool from which vesicles are released; it is refilled from a
reserve that holds `reserve` times as many and is `stored` full, with `refill`. The reserve itself fills by recycling, with
`recycle`. `use` is the rate at which a presynaptic side at full release empties the pool. The fast pool makes the answer
depend on the last interval, the slow one on all that was released before. finitialize() puts both where a steady
presynaptic voltage would leave them. With `use` 0 it is GradedSynapse, which has two states less and serves all
synapses that do not tire.

Source: two stores in series are the cascade of two time scales that Staddon & Higa 1996 found sufficient for the tap
habituation of Rankin & Broster 1992; depletion and refilling of releasable vesicles as in Wesseling & Lo 2002. Values
in tianbao/network/fatigue.csv.
ENDCOMMENT

NEURON {
    POINT_PROCESS TiringSynapse
    NONSPECIFIC_CURRENT i
    RANGE weight, e, v_half, slope, tau, vpre, i
    RANGE use, refill, reserve, recycle
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
    use = 0 (/ms)
    refill = 10000 (ms)
    reserve = 10 (1)
    recycle = 100000 (ms)
}

ASSIGNED {
    v (mV)
    i (nA)
    g (uS)
    modulation (1)
}

STATE { s available stored }

INITIAL {
    LOCAL drained
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("TiringSynapse: 'modulation' points to nothing;",
                "set it with synapse._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    drained = use*release(vpre)*refill
    stored = 1/(1 + drained/(1 + drained)*recycle/(reserve*refill))
    available = stored/(1 + drained)
    s = available*release(vpre)
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
    s' = rate*(available*release(vpre) - s)/tau
    available' = rate*((stored - available)/refill - use*release(vpre)*available)
    stored' = rate*((1 - stored)/recycle - (stored - available)/(reserve*refill))
}

FUNCTION release(vpre (mV)) (1) {
    release = 1/(1 + exp((v_half - vpre)/slope))
}
