COMMENT
EGL-19, the L-type calcium channel (CaV1).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738. Set C19 is set H with every voltage 10 mV
lower: set_shift is a row of tianbao/cells/channels.csv. `shift` is the modeller's own and adds to
it: it moves the voltages of all gates and time constants, negative to the left.
ENDCOMMENT

NEURON {
    SUFFIX egl19
    USEION ca READ eca WRITE ica
    RANGE gbar, ica, shift, set_shift, slope_m
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
    shift = 0 (mV)
    set_shift = -10 (mV)
    v_half_m = 5.6 (mV)
    slope_m = 7.5 (mV)
    h_rise = 1.4314 (1)
    h_rise_v = 24.8573 (mV)
    h_rise_k = 11.9541 (mV)
    h_rise_floor = 0.1427 (1)
    h_fall = 5.9589 (1)
    h_fall_v = -10.5428 (mV)
    h_fall_k = 8.0552 (mV)
    h_fall_floor = 0.6038 (1)
    tau_m_floor = 2.3359 (ms)
    tau_m_narrow = 2.9324 (ms)
    tau_m_narrow_v = 5.2357 (mV)
    tau_m_narrow_k = 6 (mV)
    tau_m_wide = 1.8739 (ms)
    tau_m_wide_v = 1.393 (mV)
    tau_m_wide_k = 30 (mV)
    tau_h_scale = 0.4 (1)
    tau_h_low = 44.615 (ms)
    tau_h_low_v = -22.9723 (mV)
    tau_h_low_k = 5 (mV)
    tau_h_high = 36.44 (ms)
    tau_h_high_v = 28.7251 (mV)
    tau_h_high_k = 3.7125 (mV)
    tau_h_floor = 43.0937 (ms)
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
            hoc_execerror("egl19: 'modulation' points to nothing;",
                "set it with segment.egl19._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    rates(v - shift - set_shift)
    m = m_inf
    h = h_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION ca
    g = gbar*m*h
    if (modulated != 0) {
        g = modulation*g
    }
    ica = g*(v - eca)
}

DERIVATIVE gates {
    rates(v - shift - set_shift)
    m' = rate*(m_inf - m)/m_tau
    h' = rate*(h_inf - h)/h_tau
}

PROCEDURE rates(u (mV)) {
    m_inf = boltzmann((u - v_half_m)/slope_m)
    h_inf = (h_rise*boltzmann((u - h_rise_v)/h_rise_k) + h_rise_floor)*
        (h_fall*boltzmann((h_fall_v - u)/h_fall_k) + h_fall_floor)
    m_tau = tau_m_floor + tau_m_narrow*bell((u - tau_m_narrow_v)/tau_m_narrow_k) +
        tau_m_wide*bell((u - tau_m_wide_v)/tau_m_wide_k)
    h_tau = tau_h_scale*(tau_h_low*boltzmann((tau_h_low_v - u)/tau_h_low_k) +
        tau_h_high*boltzmann((tau_h_high_v - u)/tau_h_high_k) + tau_h_floor)
}

FUNCTION bell(x (1)) (1) {
    bell = exp(-x*x)
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
