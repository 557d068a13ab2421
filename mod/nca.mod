COMMENT
NCA-1/2, the ungated cation leak channel (NALCN).

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738; sets C19 and H are the same.
ENDCOMMENT

NEURON {
    SUFFIX nca
    NONSPECIFIC_CURRENT i
    RANGE gbar, e, i
    RANGE modulated
    THREADSAFE : must stand before POINTER
    POINTER modulation
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    modulated = 0 (1)
    gbar = 0 (S/cm2)
    e = 30 (mV)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    modulation (1)
}

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("nca: 'modulation' points to nothing;",
                "set it with segment.nca._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
}

BREAKPOINT {
    i = gbar*(v - e)
    if (modulated != 0) {
        i = modulation*i
    }
}
