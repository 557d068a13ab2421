COMMENT
IRK-1/3, the inward rectifier potassium channel (Kir).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738; sets C19 and H are the same.
ENDCOMMENT

NEURON {
    SUFFIX irk1
    USEION k READ ek WRITE ik
    RANGE gbar, ik
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
    v_half_m = -82 (mV)
    slope_m = 13 (mV)
    tau_span = 17.0752 (ms)
    tau_rise_v = -17.8258 (mV)
    tau_rise_k = 20.3154 (mV)
    tau_fall_v = -43.4414 (mV)
    tau_fall_k = 11.1691 (mV)
    tau_floor = 3.8329 (ms)
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
            hoc_execerror("irk1: 'modulation' points to nothing;",
                "set it with segment.irk1._ref_modulation = vector._ref_x[k]");
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
    m_inf = 1/(1 + exp((v - v_half_m)/slope_m))
    m_tau = tau_span/(exp((tau_rise_v - v)/tau_rise_k) + exp((v - tau_fall_v)/tau_fall_k)) + tau_floor
}
