COMMENT
KQT-3, the slow M-type potassium channel (KCNQ).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738, set C19 (model cells). The parameters declared
RANGE differ in set H (expression data); both sets are rows of tianbao/cells/channels.csv.
One scale multiplies all four time constants, that of the slow inactivation s included.
ENDCOMMENT

NEURON {
    SUFFIX kqt3
    USEION k READ ek WRITE ik
    RANGE gbar, ik
    RANGE v_half_m, tau_scale
    RANGE m_inf, m_fast_tau, m_slow_tau, w_inf, w_tau, s_inf, s_tau
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
    v_half_m = -22.6726 (mV)
    tau_scale = 0.1 (1)
    slope_m = 15.8008 (mV)
    fast_fraction = 0.3 (1)
    w_floor = 0.49 (1)
    v_half_w = -1.084 (mV)
    slope_w = 28.78 (mV)
    s_floor = 0.34 (1)
    v_half_s = -45.3 (mV)
    slope_s = 12.3 (mV)
    tau_m_fast_peak = 395.3 (ms)
    tau_m_fast_v = -38.1 (mV)
    tau_m_fast_k = 33.59 (mV)
    tau_m_slow_top = 5503 (ms)
    tau_m_slow_low = 5345.4 (ms)
    tau_m_slow_low_v = -23.9 (mV)
    tau_m_slow_low_rate = 0.02827 (/mV)
    tau_m_slow_high = 4590.6 (ms)
    tau_m_slow_high_v = -14.15 (mV)
    tau_m_slow_high_rate = 0.0357 (/mV)
    tau_w_floor = 5.44 (ms)
    tau_w_peak = 29.2 (ms)
    tau_w_v = -48.09 (mV)
    tau_w_k = 48.83 (mV)
    tau_s = 5000 (ms)
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    g (S/cm2)
    m_inf (1)
    m_fast_tau (ms)
    m_slow_tau (ms)
    w_inf (1)
    w_tau (ms)
    s_inf (1)
    s_tau (ms)
    modulation (1)
}

STATE { m_fast m_slow w s }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("kqt3: 'modulation' points to nothing;",
                "set it with segment.kqt3._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    rates(v)
    m_fast = m_inf
    m_slow = m_inf
    w = w_inf
    s = s_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION k
    g = gbar*(fast_fraction*m_fast + (1 - fast_fraction)*m_slow)*w*s
    if (modulated != 0) {
        g = modulation*g
    }
    ik = g*(v - ek)
}

DERIVATIVE gates {
    rates(v)
    m_fast' = rate*(m_inf - m_fast)/m_fast_tau
    m_slow' = rate*(m_inf - m_slow)/m_slow_tau
    w' = rate*(w_inf - w)/w_tau
    s' = rate*(s_inf - s)/s_tau
}

PROCEDURE rates(v (mV)) { LOCAL low, high
    m_inf = boltzmann((v - v_half_m)/slope_m)
    w_inf = w_floor + (1 - w_floor)*boltzmann((v_half_w - v)/slope_w)
    s_inf = s_floor + (1 - s_floor)*boltzmann((v_half_s - v)/slope_s)
    m_fast_tau = tau_scale*tau_m_fast_peak*lorentz((v - tau_m_fast_v)/tau_m_fast_k)
    : powers of ten in the source, written with the natural exponential
    low = tau_m_slow_low*boltzmann(log(10)*tau_m_slow_low_rate*(tau_m_slow_low_v - v))
    high = tau_m_slow_high*boltzmann(log(10)*tau_m_slow_high_rate*(v - tau_m_slow_high_v))
    m_slow_tau = tau_scale*(tau_m_slow_top - low - high)
    w_tau = tau_scale*(tau_w_floor + tau_w_peak*lorentz((v - tau_w_v)/tau_w_k))
    s_tau = tau_scale*tau_s
}

FUNCTION lorentz(x (1)) (1) {
    lorentz = 1/(1 + x*x)
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
