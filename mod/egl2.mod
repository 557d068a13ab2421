COMMENT
EGL-2, a potassium channel of the EAG family.

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738, set C19 (model cells). The parameters declared
RANGE differ in set H (expression data, 360 times slower); both sets are rows of
tianbao/cells/channels.csv.
ENDCOMMENT

NEURON {
    SUFFIX egl2
    USEION k READ ek WRITE ik
    RANGE gbar, ik
    RANGE tau_span, tau_floor, tau_v_half, tau_slope
    RANGE m_inf, m_tau
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
    tau_span = 8.39 (ms)
    tau_floor = 4.04845 (ms)
    tau_v_half = -122.568 (mV)   : six digits are what NMODL keeps; -122.5682 in the table
    tau_slope = 13.7976 (mV)
    v_half_m = -6.8594 (mV)
    slope_m = 14.9131 (mV)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    g (S/cm2)
    m_inf (1)
    m_tau (ms)
    modulation (1)
}

STATE { m }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("egl2: 'modulation' points to nothing;",
                "set it with segment.egl2._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    rates(v)
    m = m_inf
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
    rates(v)
    m' = rate*(m_inf - m)/m_tau
}

PROCEDURE rates(v (mV)) {
    m_inf = boltzmann((v - v_half_m)/slope_m)
    m_tau = tau_span*boltzmann((tau_v_half - v)/tau_slope) + tau_floor
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
