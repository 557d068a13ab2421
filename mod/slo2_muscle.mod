COMMENT
SLO-2 of body wall muscle: a potassium channel that voltage opens in a cytosol rich in chloride.

slo2.mod and slo2_iso.mod follow their source, in which even a saturated channel is half open only near +65 mV.
In muscle, SLO-2 carries current at rest near -25 mV (its loss depolarises the cell), so it cannot be either of
them. Steady state and time constant stand for the calcium and chloride that reach the channel; they are free
(tianbao/muscles/active.csv). Not one of the 14 channels: only the active membrane of muscle carries it.
ENDCOMMENT

NEURON {
    SUFFIX slo2_muscle
    USEION k READ ek WRITE ik
    RANGE gbar, ik
    RANGE v_half_m, slope_m, m_tau
    RANGE rate, modulated
    THREADSAFE : must stand before POINTER
    POINTER modulation
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    rate = 1 (1)
    modulated = 0 (1)
    gbar = 0 (S/cm2)
    v_half_m = 0 (mV)
    slope_m = 23 (mV)
    m_tau = 10 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    g (S/cm2)
    modulation (1)
}

STATE { m }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("slo2_muscle: 'modulation' points to nothing;",
                "set it with segment.slo2_muscle._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    m = boltzmann((v - v_half_m)/slope_m)
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION k
    g = gbar*m
    if (modulated != 0) {
        g = modulation*g
    }
    ik = g*(v - ek)
}

DERIVATIVE gates {
    m' = rate*(boltzmann((v - v_half_m)/slope_m) - m)/m_tau
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
