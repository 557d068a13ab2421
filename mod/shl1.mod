COMMENT
SHL-1, a transient A-type potassium channel (Kv4).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738, set C19 (model cells). The parameters declared
RANGE differ in set H (expression data); both sets are rows of tianbao/cells/channels.csv. The time
constants are scaled between the sets, their voltage curves are not shifted.
ENDCOMMENT

NEURON {
    SUFFIX shl1
    USEION k READ ek WRITE ik
    RANGE gbar, ik
    RANGE v_half_m, v_half_h, tau_scale
    RANGE m_inf, m_tau, h_inf, h_fast_tau, h_slow_tau
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
    v_half_m = -6.8 (mV)
    v_half_h = -51.1 (mV)
    tau_scale = 0.1 (1)
    slope_m = 14.1 (mV)
    slope_h = 8.3 (mV)
    fast_fraction = 0.7 (1)
    tau_m_span = 13.8 (ms)
    tau_m_rise_v = -17.5165 (mV)
    tau_m_rise_k = 12.9213 (mV)
    tau_m_fall_v = -3.7082 (mV)
    tau_m_fall_k = 6.4876 (mV)
    tau_m_floor = 1.8849 (ms)
    tau_h_fast_v = -28.199 (mV)
    tau_h_fast_k = 4.9199 (mV)
    tau_h_fast_floor = 27.2811 (ms)
    tau_h_slow_span = 8422 (ms)
    tau_h_slow_v = -37.7391 (mV)
    tau_h_slow_k = 6.3785 (mV)
}

: more than the six digits that NMODL keeps of a PARAMETER
CONSTANT {
    tau_h_fast_span = 539.1584 (ms)
    tau_h_slow_floor = 118.8983 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    g (S/cm2)
    m_inf (1)
    m_tau (ms)
    h_inf (1)
    h_fast_tau (ms)
    h_slow_tau (ms)
    modulation (1)
}

STATE { m h_fast h_slow }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("shl1: 'modulation' points to nothing;",
                "set it with segment.shl1._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    rates(v)
    m = m_inf
    h_fast = h_inf
    h_slow = h_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION k
    g = gbar*m*m*m*(fast_fraction*h_fast + (1 - fast_fraction)*h_slow)
    if (modulated != 0) {
        g = modulation*g
    }
    ik = g*(v - ek)
}

DERIVATIVE gates {
    rates(v)
    m' = rate*(m_inf - m)/m_tau
    h_fast' = rate*(h_inf - h_fast)/h_fast_tau
    h_slow' = rate*(h_inf - h_slow)/h_slow_tau
}

PROCEDURE rates(v (mV)) {
    m_inf = boltzmann((v - v_half_m)/slope_m)
    h_inf = boltzmann((v_half_h - v)/slope_h)
    m_tau = tau_m_span/(exp((tau_m_rise_v - v)/tau_m_rise_k) + exp((v - tau_m_fall_v)/tau_m_fall_k))
    m_tau = tau_scale*(m_tau + tau_m_floor)
    h_fast_tau = tau_scale*(tau_h_fast_span*boltzmann((tau_h_fast_v - v)/tau_h_fast_k) + tau_h_fast_floor)
    h_slow_tau = tau_scale*(tau_h_slow_span*boltzmann((tau_h_slow_v - v)/tau_h_slow_k) + tau_h_slow_floor)
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
