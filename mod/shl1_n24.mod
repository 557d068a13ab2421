COMMENT
SHL-1 as the model cells AIY and RIM of Nicoletti et al. 2024 have it. Not one of the 14 channels
(shl1.mod is): the activation enters with power one, and its curves differ
(tianbao/cells/published.py).

Source: Nicoletti et al. 2024, model cells AIY and RIM.
ENDCOMMENT

NEURON {
    SUFFIX shl1_n24
    USEION k READ ek WRITE ik
    RANGE gbar, ik
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
    v_half_m = 0.26 (mV)
    slope_m = 16.25 (mV)
    v_half_h = -50 (mV)
    slope_h = 8.3 (mV)
    fast_fraction = 0.8 (1)
    tau_m_scale = 0.5 (1)
    tau_m_span = 13.8 (ms)
    tau_m_v = -40 (mV)
    tau_m_rise_k = 12.9213 (mV)
    tau_m_fall_k = 6.4876 (mV)
    tau_m_floor = 1.8849 (ms)
    tau_h_fast_divisor = 3 (1)
    tau_h_fast_span = 539.158 (ms)
    tau_h_fast_v = -60 (mV)
    tau_h_fast_k = 4.9199 (mV)
    tau_h_fast_floor = 27.2811 (ms)
    tau_h_slow_span = 8422 (ms)
    tau_h_slow_v = -60 (mV)
    tau_h_slow_k = 6.3785 (mV)
    tau_h_slow_floor = 118.898 (ms)
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
            hoc_execerror("shl1_n24: 'modulation' points to nothing;",
                "set it with segment.shl1_n24._ref_modulation = vector._ref_x[k]");
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
    g = gbar*m*(fast_fraction*h_fast + (1 - fast_fraction)*h_slow)
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
    m_tau = tau_m_span/(exp((tau_m_v - v)/tau_m_rise_k) + exp((v - tau_m_v)/tau_m_fall_k))
    m_tau = tau_m_scale*(m_tau + tau_m_floor)
    h_fast_tau = tau_h_fast_span*boltzmann((tau_h_fast_v - v)/tau_h_fast_k) + tau_h_fast_floor
    h_fast_tau = h_fast_tau/tau_h_fast_divisor
    h_slow_tau = tau_h_slow_span*boltzmann((tau_h_slow_v - v)/tau_h_slow_k) + tau_h_slow_floor
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
