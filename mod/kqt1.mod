COMMENT
KQT-1, a slow potassium channel (KCNQ) outside the 14: of the recorded cells it is found in AIY and
AWA (CeNGEN), and Nicoletti's AIY runs it.

Source: Nicoletti et al. 2024, model of AIY: 0.41 inactivates at the low voltage, 0.59 at the high one.
ENDCOMMENT

NEURON {
    SUFFIX kqt1
    USEION k READ ek WRITE ik
    RANGE gbar, ik
    RANGE m_inf, m_tau, s_inf, s_tau
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
    v_half_m = -17.6053 (mV)
    slope_m = 9.5843 (mV)
    tau_m_span = 895.9 (ms)
    tau_m_v = -18.01 (mV)
    tau_m_k = 31.04 (mV)
    tau_m_floor = 10 (ms)
    s_low = 0.41 (1)
    s_low_v = -86.84 (mV)
    s_low_k = 15.05 (mV)
    s_high = 0.59 (1)
    s_high_v = 70.13 (mV)
    s_high_k = 13.37 (mV)
    tau_s_floor = 1077 (ms)
    tau_s_span = 185845 (ms)
    tau_s_v = 39.44 (mV)
    tau_s_k = 7.34 (mV)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    g (S/cm2)
    m_inf (1)
    m_tau (ms)
    s_inf (1)
    s_tau (ms)
    modulation (1)
}

STATE { m s }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("kqt1: 'modulation' points to nothing;",
                "set it with segment.kqt1._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    rates(v)
    m = m_inf
    s = s_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION k
    g = gbar*m*s
    if (modulated != 0) {
        g = modulation*g
    }
    ik = g*(v - ek)
}

DERIVATIVE gates {
    rates(v)
    m' = rate*(m_inf - m)/m_tau
    s' = rate*(s_inf - s)/s_tau
}

PROCEDURE rates(v (mV)) {
    m_inf = boltzmann((v - v_half_m)/slope_m)
    m_tau = tau_m_span*boltzmann((v - tau_m_v)/tau_m_k) + tau_m_floor
    s_inf = s_low*boltzmann((s_low_v - v)/s_low_k) + s_high*boltzmann((s_high_v - v)/s_high_k)
    s_tau = tau_s_floor + tau_s_span/(1 + (v - tau_s_v)*(v - tau_s_v)/(tau_s_k*tau_s_k))
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
