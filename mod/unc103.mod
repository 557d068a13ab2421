COMMENT
UNC-103, a potassium channel of the ERG family. Not one of the 14 channels: only the published
model cell AVAR carries it (tianbao/cells/published.py).

Source: Nicoletti et al. 2024, model cell AVAR. Each time constant is the product of a falling and
a rising sigmoid over one floor, counted in ms.
ENDCOMMENT

NEURON {
    SUFFIX unc103
    USEION k READ ek WRITE ik
    RANGE gbar, ik
    RANGE m_inf, m_tau, h_inf, h_tau
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
    v_half_m = -15.1 (mV)
    slope_m = 7.85 (mV)
    v_half_h = -48 (mV)
    slope_h = 28 (mV)
    tau_m_span = 87.4088 (1)
    tau_m_v = -28.3339 (mV)
    tau_m_k = 13.0998 (mV)
    tau_m_floor = 0.2562 (1)
    tau_h_span = 8.1559 (1)
    tau_h_v = -25.289 (mV)
    tau_h_k = 29.5074 (mV)
    tau_h_floor = 0.23 (1)
    tau_unit = 1 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    g (S/cm2)
    m_inf (1)
    m_tau (ms)
    h_inf (1)
    h_tau (ms)
    modulation (1)
}

STATE { m h }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("unc103: 'modulation' points to nothing;",
                "set it with segment.unc103._ref_modulation = vector._ref_x[k]");
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
    m_tau = hump((v - tau_m_v)/tau_m_k, tau_m_span, tau_m_floor)
    h_tau = hump((v - tau_h_v)/tau_h_k, tau_h_span, tau_h_floor)
}

FUNCTION hump(x (1), span (1), least (1)) (ms) {
    hump = tau_unit*(span*boltzmann(-x) + least)*(span*boltzmann(x) + least)
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
