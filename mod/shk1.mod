COMMENT
SHK-1, the delayed rectifier potassium channel (Kv1).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738; sets C19 and H are the same.
ENDCOMMENT

NEURON {
    SUFFIX shk1
    USEION k READ ek WRITE ik
    RANGE gbar, ik
    RANGE v_half_m, slope_m, v_half_h
    RANGE m_inf, m_tau, h_inf
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
    v_half_m = 20.4 (mV)
    slope_m = 7.7 (mV)
    v_half_h = -6.95 (mV)
    slope_h = 5.8 (mV)
    tau_m_span = 26.5715 (ms)
    tau_m_v = -33.7416 (mV)
    tau_m_rise_k = 15.3649 (mV)
    tau_m_fall_k = 15.7579 (mV)
    tau_m_floor = 1.99 (ms)
    h_tau = 1400 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    g (S/cm2)
    m_inf (1)
    m_tau (ms)
    h_inf (1)
    modulation (1)
}

STATE { m h }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("shk1: 'modulation' points to nothing;",
                "set it with segment.shk1._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    rates(v)
    m = m_inf
    h = h_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION k
    g = gbar*m*h
    if (modulated != 0) {
        g = modulation*g
    }
    ik = g*(v - ek)
}

DERIVATIVE gates {
    rates(v)
    m' = rate*(m_inf - m)/m_tau
    h' = rate*(h_inf - h)/h_tau
}

PROCEDURE rates(v (mV)) {
    m_inf = boltzmann((v - v_half_m)/slope_m)
    h_inf = boltzmann((v_half_h - v)/slope_h)
    m_tau = tau_m_span/(exp((tau_m_v - v)/tau_m_rise_k) + exp((v - tau_m_v)/tau_m_fall_k)) + tau_m_floor
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
