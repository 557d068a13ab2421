COMMENT
EGL-36, a slow potassium channel (Kv3) that does not inactivate.

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738; sets C19 and H are the same.
The three weights add to 1.06 in the source and are left so.
ENDCOMMENT

NEURON {
    SUFFIX egl36
    USEION k READ ek WRITE ik
    RANGE gbar, ik
    RANGE m_inf
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
    v_half_m = 63 (mV)
    slope_m = 28.5 (mV)
    m1_weight = 0.31 (1)
    m2_weight = 0.36 (1)
    m3_weight = 0.39 (1)
    m1_tau = 355 (ms)
    m2_tau = 63 (ms)
    m3_tau = 13 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    g (S/cm2)
    m_inf (1)
    modulation (1)
}

STATE { m1 m2 m3 }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("egl36: 'modulation' points to nothing;",
                "set it with segment.egl36._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    rates(v)
    m1 = m_inf
    m2 = m_inf
    m3 = m_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION k
    g = gbar*(m1_weight*m1 + m2_weight*m2 + m3_weight*m3)
    if (modulated != 0) {
        g = modulation*g
    }
    ik = g*(v - ek)
}

DERIVATIVE gates {
    rates(v)
    m1' = rate*(m_inf - m1)/m1_tau
    m2' = rate*(m_inf - m2)/m2_tau
    m3' = rate*(m_inf - m3)/m3_tau
}

PROCEDURE rates(v (mV)) {
    m_inf = 1/(1 + exp((v_half_m - v)/slope_m))
}
