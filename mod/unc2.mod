COMMENT
UNC-2, the P/Q-type calcium channel (CaV2).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738, set C19 (model cells). The parameters declared
RANGE differ in set H (expression data); both sets are rows of tianbao/cells/channels.csv.
tau_shift moves the curves of the time constants, which C19 shifts further than the gates.
ENDCOMMENT

NEURON {
    SUFFIX unc2
    USEION ca READ eca WRITE ica
    RANGE gbar, ica
    RANGE v_half_m, v_half_h, tau_shift, tau_m_scale, tau_h_scale
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
    v_half_m = -37.17 (mV)
    v_half_h = -77.47 (mV)
    tau_shift = -30 (mV)
    tau_m_scale = 3 (1)
    tau_h_scale = 1.7 (1)
    slope_m = 3.97 (mV)
    slope_h = 5.6 (mV)
    tau_m_span = 1.4969 (ms)
    tau_m_v = -8.1761 (mV)
    tau_m_rise_k = 9.0753 (mV)
    tau_m_fall_k = 15.3456 (mV)
    tau_m_floor = 0.1029 (ms)
    tau_h_low = 83.8037 (ms)
    tau_h_low_v = 52.8997 (mV)
    tau_h_low_k = 3.4557 (mV)
    tau_h_high = 72.0995 (ms)
    tau_h_high_v = 23.9009 (mV)
    tau_h_high_k = 3.5903 (mV)
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
            hoc_execerror("unc2: 'modulation' points to nothing;",
                "set it with segment.unc2._ref_modulation = vector._ref_x[k]");
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
    g = gbar*m*h
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

PROCEDURE rates(v (mV)) { LOCAL u
    u = v - tau_shift
    m_inf = boltzmann((v - v_half_m)/slope_m)
    h_inf = boltzmann((v_half_h - v)/slope_h)
    m_tau = tau_m_scale*(tau_m_span/(exp((tau_m_v - u)/tau_m_rise_k) + exp((u - tau_m_v)/tau_m_fall_k)) +
        tau_m_floor)
    h_tau = tau_h_scale*(tau_h_low*boltzmann((tau_h_low_v - u)/tau_h_low_k) +
        tau_h_high*boltzmann((u - tau_h_high_v)/tau_h_high_k))
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
