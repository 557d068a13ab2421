COMMENT
KVS-1, a transient A-type potassium channel.

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738, set C19 (model cells). The parameters declared
RANGE differ in set H (expression data); both sets are rows of tianbao/cells/channels.csv.
ENDCOMMENT

NEURON {
    SUFFIX kvs1
    USEION k READ ek WRITE ik
    RANGE gbar, ik
    RANGE v_half_m, v_half_h, tau_scale
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
    v_half_m = 27.1 (mV)
    v_half_h = 17.3 (mV)
    tau_scale = 0.1 (1)
    slope_m = 25 (mV)
    slope_h = 11.1 (mV)
    tau_m_span = 30 (ms)
    tau_m_v = 18.1232 (mV)
    tau_m_k = 20 (mV)
    tau_m_floor = 1 (ms)
    tau_h_span = 88.4715 (ms)
    tau_h_v = 50 (mV)
    tau_h_k = 15 (mV)
    tau_h_floor = 53.406 (ms)
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
            hoc_execerror("kvs1: 'modulation' points to nothing;",
                "set it with segment.kvs1._ref_modulation = vector._ref_x[k]");
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
    m_tau = tau_scale*(tau_m_span*boltzmann((tau_m_v - v)/tau_m_k) + tau_m_floor)
    h_tau = tau_scale*(tau_h_span*boltzmann((tau_h_v - v)/tau_h_k) + tau_h_floor)
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
