COMMENT
KCNL, the calcium-activated potassium channel of small conductance (SK).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738; sets C19 and H are the same. The source counts
calcium in uM, NEURON's cai is in mM: half activation is 0.33 uM = 3.3e-4 mM.
ENDCOMMENT

NEURON {
    SUFFIX kcnl
    USEION k READ ek WRITE ik
    USEION ca READ cai
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
    (molar) = (1/liter)
    (mM) = (millimolar)
}

PARAMETER {
    rate = 1 (1)
    modulated = 0 (1)
    gbar = 0 (S/cm2)
    k_half = 3.3e-4 (mM)
    m_tau = 6.3 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    cai (mM)
    ik (mA/cm2)
    g (S/cm2)
    m_inf (1)
    modulation (1)
}

STATE { m }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("kcnl: 'modulation' points to nothing;",
                "set it with segment.kcnl._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    m_inf = cai/(k_half + cai)
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
    m_inf = cai/(k_half + cai)
    m' = rate*(m_inf - m)/m_tau
}
