COMMENT
An inactivating plateau current of AVA, AVD, AVE and RIM in a worm that decides. Not one of the 14 channels.

AVA keeps one of two levels for seconds (Roberts et al. 2016) and falls back by itself. Which channel carries it is not
known; AVA, AVD, AVE and RIM express NMR-1 and UNC-2, AVA, AVE and RIM CCA-1 (CeNGEN). It opens within a few mV,
inactivates within seconds while the cell is depolarised and recovers when it is not. At the rest of a recorded AVA (-24
to -37 mV) it is inactivated, so that recordings from there do not show it. Form assumed; values in
tianbao/network/decision.csv.
ENDCOMMENT

NEURON {
    SUFFIX plateau
    NONSPECIFIC_CURRENT i
    RANGE gbar, e, i
    RANGE v_half_m, slope_m, tau_m, v_half_h, slope_h, tau_recover, tau_inactivate
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
    e = 0 (mV)
    v_half_m = -43 (mV)
    slope_m = 2.5 (mV)
    tau_m = 20 (ms)
    v_half_h = -50 (mV)
    slope_h = 2.5 (mV)
    tau_recover = 3000 (ms)
    tau_inactivate = 3000 (ms)
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    g (S/cm2)
    modulation (1)
}

STATE { m h }

INITIAL {
    if (modulated != 0) {
VERBATIM
        if (!nrn_pointing(&(modulation))) {
            hoc_execerror("plateau: 'modulation' points to nothing;",
                "set it with segment.plateau._ref_modulation = vector._ref_x[k]");
        }
ENDVERBATIM
    }
    m = boltzmann((v - v_half_m)/slope_m)
    h = boltzmann((v_half_h - v)/slope_h)
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    CONDUCTANCE g
    g = gbar*m*h
    if (modulated != 0) {
        g = modulation*g
    }
    i = g*(v - e)
}

DERIVATIVE gates {
    m' = rate*(boltzmann((v - v_half_m)/slope_m) - m)/tau_m
    h' = rate*(boltzmann((v_half_h - v)/slope_h) - h)/tau_h(v)
}

FUNCTION tau_h(v (mV)) (ms) {
    tau_h = tau_recover + (tau_inactivate - tau_recover)*boltzmann((v - v_half_h)/slope_h)
}

FUNCTION boltzmann(x (1)) (1) {
    boltzmann = 1/(1 + exp(-x))
}
