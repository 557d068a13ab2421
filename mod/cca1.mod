COMMENT
CCA-1, the T-type calcium channel (CaV3).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738, set C19 (model cells). The parameters declared
RANGE differ in set H (expression data); both sets are rows of tianbao/cells/channels.csv.
ENDCOMMENT

NEURON {
    SUFFIX cca1
    USEION ca READ eca WRITE ica
    RANGE gbar, ica
    RANGE v_half_m, slope_m, v_half_h, slope_h
    RANGE tau_m_v, tau_m_k, tau_m_scale, tau_h_v, tau_h_k, tau_h_scale
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
    v_half_m = -57.65 (mV)
    slope_m = 2.38 (mV)
    v_half_h = -73 (mV)
    slope_h = 8.05 (mV)
    tau_m_v = -92.5393 (mV)
    tau_m_k = 21.209 (mV)
    tau_m_scale = 0.5 (1)
    tau_h_v = -75.7312 (mV)
    tau_h_k = 9.3746 (mV)
    tau_h_scale = 0.08 (1)
    tau_m_span = 40 (ms)
    tau_m_floor = 0.6947 (ms)
    tau_h_span = 280 (ms)
    tau_h_floor = 19.7456 (ms)
}

ASSIGNED {
    v (mV)
    eca (mV)
    ica (mA/cm2)
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
            hoc_execerror("cca1: 'modulation' points to nothing;",
                "set it with segment.cca1._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    rates(v)
    m = m_inf
    h = h_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION ca
    g = gbar*m*m*h
    if (modulated != 0) {
        g = modulation*g
    }
    ica = g*(v - eca)
}

DERIVATIVE gates {
    rates(v)
    m' = rate*(m_inf - m)/m_tau
    h' = rate*(h_inf - h)/h_tau
}

PROCEDURE rates(v (mV)) {
    m_inf = boltzmann((v - v_half_m)/slope_m)
    h_inf = boltzmann((v_half_h - v)/slope_h)
    m_tau = tau_m_scale*(tau_m_span*boltzmann((tau_m_v - v)/tau_m_k) + tau_m_floor)
    h_tau = tau_h_scale*(tau_h_span*boltzmann((tau_h_v - v)/tau_h_k) + tau_h_floor)
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
