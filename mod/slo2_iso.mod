COMMENT
SLO-2 that is not bound to a calcium channel. Not one of the 14 channels (slo2.mod is): only the published
model cells VA5, VB6 and VD5 carry it (tianbao/cells/published.py).

It opens with voltage and with the calcium of the shell, which ca_shell.mod computes. The source
writes the steady state as one sigmoid of voltage about a half activation that depends on calcium;
that is opening/(opening + closing) with the rates below, and its time constant 1/(opening + closing).

Source: Nicoletti et al. 2024, model cells VA5, VB6 and VD5.
ENDCOMMENT

NEURON {
    SUFFIX slo2_iso
    USEION k READ ek WRITE ik
    USEION ca READ cai
    RANGE gbar, ik
    RANGE m_inf, m_tau
    RANGE rate, modulated
    THREADSAFE : must stand before POINTER
    POINTER modulation
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
    (molar) = (1/liter)
    (mM) = (millimolar)
    (uM) = (micromolar)
}

PARAMETER {
    rate = 1 (1)
    modulated = 0 (1)
    gbar = 0 (S/cm2)
    close_rate = 0.896395 (/ms)
    close_voltage = 0.019405 (/mV)
    close_power = 1e-5 (1)
    open_rate = 0.026719 (/ms)
    open_voltage = -0.024123 (/mV)
}

: more than the six digits that NMODL keeps of a PARAMETER
CONSTANT {
    close_calcium = 3294.553404 (uM)
    open_calcium = 93.449423 (uM)
    open_power = 1.835067 (1)
}

ASSIGNED {
    v (mV)
    ek (mV)
    cai (mM)
    ik (mA/cm2)
    g (S/cm2)
    m_inf (1)
    m_tau (ms)
    modulation (1)
}

STATE { m }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("slo2_iso: 'modulation' points to nothing;",
                "set it with segment.slo2_iso._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    rates(v, cai)
    m = m_inf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g USEION k
    g = gbar*m
    if (modulated != 0) {
        g = modulation*g
    }
    ik = g*(v - ek)
}

DERIVATIVE gates {
    rates(v, cai)
    m' = rate*(m_inf - m)/m_tau
}

PROCEDURE rates(v (mV), cai (mM)) { LOCAL calcium, opening, closing
    calcium = (1e3)*cai
    opening = open_rate*exp(-open_voltage*v)/(1 + pow(open_calcium/calcium, open_power))
    closing = close_rate*exp(-close_voltage*v)/(1 + pow(calcium/close_calcium, close_power))
    m_tau = 1/(opening + closing)
    m_inf = opening*m_tau
}
