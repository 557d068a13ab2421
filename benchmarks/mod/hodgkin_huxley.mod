COMMENT
Squid axon membrane at 6.3 degC, currents without ions: for benchmarks only, the worm has no such channel.

Source: Hodgkin & Huxley 1952 J Physiol 117:500, in the sign and zero of today.
ENDCOMMENT

NEURON {
    SUFFIX hodgkin_huxley
    NONSPECIFIC_CURRENT i
    RANGE g_na, g_k, g_leak
    THREADSAFE
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    g_na = 0.12 (S/cm2)
    g_k = 0.036 (S/cm2)
    g_leak = 0.0003 (S/cm2)
    e_na = 50 (mV)
    e_k = -77 (mV)
    e_leak = -54.3 (mV)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    m_inf (1)
    m_tau (ms)
    h_inf (1)
    h_tau (ms)
    n_inf (1)
    n_tau (ms)
}

STATE { m h n }

INITIAL {
    rates(v)
    m = m_inf
    h = h_inf
    n = n_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    i = g_na*m*m*m*h*(v - e_na) + g_k*n*n*n*n*(v - e_k) + g_leak*(v - e_leak)
}

DERIVATIVE gates {
    rates(v)
    m' = (m_inf - m)/m_tau
    h' = (h_inf - h)/h_tau
    n' = (n_inf - n)/n_tau
}

PROCEDURE rates(v (mV)) { LOCAL opening, closing
    opening = 0.1*vtrap(-(v + 40), 10)
    closing = 4*exp(-(v + 65)/18)
    m_tau = 1/(opening + closing)
    m_inf = opening*m_tau
    opening = 0.07*exp(-(v + 65)/20)
    closing = 1/(exp(-(v + 35)/10) + 1)
    h_tau = 1/(opening + closing)
    h_inf = opening*h_tau
    opening = 0.01*vtrap(-(v + 55), 10)
    closing = 0.125*exp(-(v + 65)/80)
    n_tau = 1/(opening + closing)
    n_inf = opening*n_tau
}

: x/(exp(x/y) - 1) without its hole at 0
FUNCTION vtrap(x (mV), y (mV)) (mV) {
    if (fabs(x/y) < 1e-6) {
        vtrap = y*(1 - x/y/2)
    } else {
        vtrap = x/(exp(x/y) - 1)
    }
}
