COMMENT
NCA-1/2, the ungated cation leak channel (NALCN).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738; sets C19 and H are the same.
ENDCOMMENT

NEURON {
    SUFFIX nca
    NONSPECIFIC_CURRENT i
    RANGE gbar, e, i
    THREADSAFE
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0 (S/cm2)
    e = 30 (mV)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
}

BREAKPOINT {
    i = gbar*(v - e)
}
