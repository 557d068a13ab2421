COMMENT
SLO-1, the potassium channel of large conductance (BK), bound to calcium channels.

Two complexes in one file: with EGL-19 (gbar_egl19) and with UNC-2 (gbar_unc2), each with current
gbar o h (v - ek). h is the inactivation of its calcium channel; the opening o follows the momentary
activation m of that channel and the calcium beside its open pore (`nanodomain`), not cai. Every
instance carries its own copy of those gates, so cells never share them; the calcium current
itself is that of egl19.mod and unc2.mod.

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738. The parameters declared RANGE are those of the
gate copies that differ between sets C19 and H; both are rows of tianbao/cells/channels.csv.
`shift` moves the EGL-19 copy, as in egl19.mod.
The gates of a complex whose conductance is 0 are not followed: set it before finitialize().
ENDCOMMENT

NEURON {
    SUFFIX slo1
    USEION k READ ek WRITE ik
    USEION ca READ eca
    RANGE gbar_egl19, gbar_unc2, shift, ik
    RANGE egl19_set_shift, egl19_slope_m, unc2_v_half_m, unc2_v_half_h, unc2_tau_shift, unc2_tau_m_scale, unc2_tau_h_scale
    RANGE m_egl19_inf, m_egl19_tau, h_egl19_inf, h_egl19_tau, o_egl19_inf, o_egl19_tau
    RANGE m_unc2_inf, m_unc2_tau, h_unc2_inf, h_unc2_tau, o_unc2_inf, o_unc2_tau
    RANGE nanodomain
    RANGE rate, modulated
    THREADSAFE : must stand before POINTER
    POINTER modulation
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
    (pS) = (picosiemens)
    (um) = (micron)
    (molar) = (1/liter)
    (uM) = (micromolar)
    FARADAY = (faraday) (coulomb)
    PI = (pi) (1)
}

PARAMETER {
    rate = 1 (1)
    modulated = 0 (1)
    gbar_egl19 = 0 (S/cm2)
    gbar_unc2 = 0 (S/cm2)
    shift = 0 (mV)
    egl19_set_shift = -10 (mV)
    unc2_v_half_m = -37.17 (mV)
    unc2_v_half_h = -77.47 (mV)
    unc2_tau_shift = -30 (mV)
    unc2_tau_m_scale = 3 (1)
    unc2_tau_h_scale = 1.7 (1)

    : opening and closing
    close_voltage = 0.012643 (/mV)
    close_power = 1e-4 (1)
    open_rate = 0.156217 (/ms)
    open_voltage = -0.027527 (/mV)

    : calcium beside an open calcium channel
    channel_conductance = 40 (pS)
    distance = 13 (nm)
    diffusion = 250 (um2/s)
    buffer_rate = 500 (/uM-s)
    buffer = 30 (uM)
    background = 0.05 (uM)

    : gate copies, as in egl19.mod and unc2.mod
    egl19_v_half_m = 5.6 (mV)
    egl19_slope_m = 7.5 (mV)
    egl19_h_rise = 1.4314 (1)
    egl19_h_rise_v = 24.8573 (mV)
    egl19_h_rise_k = 11.9541 (mV)
    egl19_h_rise_floor = 0.1427 (1)
    egl19_h_fall = 5.9589 (1)
    egl19_h_fall_v = -10.5428 (mV)
    egl19_h_fall_k = 8.0552 (mV)
    egl19_h_fall_floor = 0.6038 (1)
    egl19_tau_m_floor = 2.3359 (ms)
    egl19_tau_m_narrow = 2.9324 (ms)
    egl19_tau_m_narrow_v = 5.2357 (mV)
    egl19_tau_m_narrow_k = 6 (mV)
    egl19_tau_m_wide = 1.8739 (ms)
    egl19_tau_m_wide_v = 1.393 (mV)
    egl19_tau_m_wide_k = 30 (mV)
    egl19_tau_h_scale = 0.4 (1)
    egl19_tau_h_low = 44.615 (ms)
    egl19_tau_h_low_v = -22.9723 (mV)
    egl19_tau_h_low_k = 5 (mV)
    egl19_tau_h_high = 36.44 (ms)
    egl19_tau_h_high_v = 28.7251 (mV)
    egl19_tau_h_high_k = 3.7125 (mV)
    egl19_tau_h_floor = 43.0937 (ms)
    unc2_slope_m = 3.97 (mV)
    unc2_slope_h = 5.6 (mV)
    unc2_tau_m_span = 1.4969 (ms)
    unc2_tau_m_v = -8.1761 (mV)
    unc2_tau_m_rise_k = 9.0753 (mV)
    unc2_tau_m_fall_k = 15.3456 (mV)
    unc2_tau_m_floor = 0.1029 (ms)
    unc2_tau_h_low = 83.8037 (ms)
    unc2_tau_h_low_v = 52.8997 (mV)
    unc2_tau_h_low_k = 3.4557 (mV)
    unc2_tau_h_high = 72.0995 (ms)
    unc2_tau_h_high_v = 23.9009 (mV)
    unc2_tau_h_high_k = 3.5903 (mV)
}

: more than the six digits that NMODL keeps of a PARAMETER
CONSTANT {
    close_rate = 3.152961 (/ms)
    close_calcium = 34.338784 (uM)
    open_calcium = 55.726816 (uM)
    open_power = 1.299198 (1)
}

ASSIGNED {
    v (mV)
    ek (mV)
    eca (mV)
    ik (mA/cm2)
    g (S/cm2)
    calcium_per_mv (uM/mV)
    closed_factor (1)
    nanodomain (uM)
    closing_shut (/ms)
    closing (/ms)
    opening (/ms)
    m_egl19_inf (1)
    m_egl19_tau (ms)
    h_egl19_inf (1)
    h_egl19_tau (ms)
    o_egl19_inf (1)
    o_egl19_tau (ms)
    m_unc2_inf (1)
    m_unc2_tau (ms)
    h_unc2_inf (1)
    h_unc2_tau (ms)
    o_unc2_inf (1)
    o_unc2_tau (ms)
    modulation (1)
}

STATE { m_egl19 h_egl19 o_egl19 m_unc2 h_unc2 o_unc2 }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("slo1: 'modulation' points to nothing;",
                "set it with segment.slo1._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    constants()
    idle()
    calcium_gates(v)
    m_egl19 = m_egl19_inf
    h_egl19 = h_egl19_inf
    m_unc2 = m_unc2_inf
    h_unc2 = h_unc2_inf
    opening_gates(v, m_egl19, m_unc2)
    o_egl19 = o_egl19_inf
    o_unc2 = o_unc2_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION k
    g = gbar_egl19*o_egl19*h_egl19 + gbar_unc2*o_unc2*h_unc2
    if (modulated != 0) {
        g = modulation*g
    }
    ik = g*(v - ek)
}

DERIVATIVE gates { LOCAL egl19_before, unc2_before
    calcium_gates(v)
    egl19_before = m_egl19
    unc2_before = m_unc2
    m_egl19' = rate*(m_egl19_inf - m_egl19)/m_egl19_tau
    h_egl19' = rate*(h_egl19_inf - h_egl19)/h_egl19_tau
    m_unc2' = rate*(m_unc2_inf - m_unc2)/m_unc2_tau
    h_unc2' = rate*(h_unc2_inf - h_unc2)/h_unc2_tau
    : the opening follows the activation in the middle of the step: with that at its start or its
    : end a second-order step would be of first order only
    opening_gates(v, 0.5*(egl19_before + m_egl19), 0.5*(unc2_before + m_unc2))
    o_egl19' = rate*(o_egl19_inf - o_egl19)/o_egl19_tau
    o_unc2' = rate*(o_unc2_inf - o_unc2)/o_unc2_tau
}

: what does not change while running
PROCEDURE constants() { LOCAL screening
    screening = exp(-sqrt((1e-6)*distance*distance*buffer_rate*buffer/diffusion))
    calcium_per_mv = (1e9)*channel_conductance*screening/(8*PI*distance*diffusion*FARADAY)
    closed_factor = 1/(1 + pow(background/close_calcium, close_power))
}

: gates of an absent complex stay shut
PROCEDURE idle() {
    m_egl19_inf = 0
    m_egl19_tau = 1
    h_egl19_inf = 0
    h_egl19_tau = 1
    o_egl19_inf = 0
    o_egl19_tau = 1
    m_unc2_inf = 0
    m_unc2_tau = 1
    h_unc2_inf = 0
    h_unc2_tau = 1
    o_unc2_inf = 0
    o_unc2_tau = 1
}

PROCEDURE calcium_gates(v (mV)) {
    if (gbar_egl19 > 0) {
        egl19_gates(v - shift - egl19_set_shift)
    }
    if (gbar_unc2 > 0) {
        unc2_gates(v)
    }
}

PROCEDURE egl19_gates(u (mV)) {
    m_egl19_inf = boltzmann((u - egl19_v_half_m)/egl19_slope_m)
    h_egl19_inf = (egl19_h_rise*boltzmann((u - egl19_h_rise_v)/egl19_h_rise_k) + egl19_h_rise_floor)*
        (egl19_h_fall*boltzmann((egl19_h_fall_v - u)/egl19_h_fall_k) + egl19_h_fall_floor)
    m_egl19_tau = egl19_tau_m_floor +
        egl19_tau_m_narrow*bell((u - egl19_tau_m_narrow_v)/egl19_tau_m_narrow_k) +
        egl19_tau_m_wide*bell((u - egl19_tau_m_wide_v)/egl19_tau_m_wide_k)
    h_egl19_tau = egl19_tau_h_scale*
        (egl19_tau_h_low*boltzmann((egl19_tau_h_low_v - u)/egl19_tau_h_low_k) +
        egl19_tau_h_high*boltzmann((egl19_tau_h_high_v - u)/egl19_tau_h_high_k) + egl19_tau_h_floor)
}

PROCEDURE unc2_gates(v (mV)) { LOCAL u
    u = v - unc2_tau_shift
    m_unc2_inf = boltzmann((v - unc2_v_half_m)/unc2_slope_m)
    h_unc2_inf = boltzmann((unc2_v_half_h - v)/unc2_slope_h)
    m_unc2_tau = unc2_tau_m_scale*(unc2_tau_m_span/(exp((unc2_tau_m_v - u)/unc2_tau_m_rise_k) +
        exp((u - unc2_tau_m_v)/unc2_tau_m_fall_k)) + unc2_tau_m_floor)
    h_unc2_tau = unc2_tau_h_scale*(unc2_tau_h_low*boltzmann((unc2_tau_h_low_v - u)/unc2_tau_h_low_k) +
        unc2_tau_h_high*boltzmann((u - unc2_tau_h_high_v)/unc2_tau_h_high_k))
}

PROCEDURE opening_gates(v (mV), m_egl19 (1), m_unc2 (1)) { LOCAL close, drive
    if (gbar_egl19 > 0 || gbar_unc2 > 0) {
        drive = v - eca
        if (drive < 0) {
            drive = -drive
        }
        nanodomain = background + calcium_per_mv*drive
        close = close_rate*exp(-close_voltage*v)
        closing_shut = close*closed_factor
        closing = close/(1 + pow(nanodomain/close_calcium, close_power))
        opening = open_rate*exp(-open_voltage*v)/(1 + pow(open_calcium/nanodomain, open_power))
    }
    if (gbar_egl19 > 0) {
        o_egl19_tau = complex_tau(m_egl19_inf, m_egl19_tau)
        o_egl19_inf = m_egl19*opening*o_egl19_tau
    }
    if (gbar_unc2 > 0) {
        o_unc2_tau = complex_tau(m_unc2_inf, m_unc2_tau)
        o_unc2_inf = m_unc2*opening*o_unc2_tau
    }
}

: time constant of the complex, from the steady state and time constant of its calcium channel
FUNCTION complex_tau(inf (1), tau (ms)) (ms) { LOCAL alpha, beta
    alpha = inf/tau
    beta = 1/tau - alpha
    complex_tau = (alpha + beta + closing_shut)/((opening + closing)*(closing_shut + alpha) +
        beta*closing_shut)
}

FUNCTION bell(x (1)) (1) {
    bell = exp(-x*x)
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
