COMMENT
Calcium under the membrane: filled by inward calcium current, emptied to rest with one time constant.

Source: Nicoletti et al. 2019 PLoS ONE 14:e0218738. The source gives each cell one volume; here a
shell of one depth lies under every membrane, so calcium depends on current density and not on
the size of the compartment. 0.1 um is the volume of AWC (31.16 um3) over its membrane (310 um2).

A mechanism that writes cai makes NEURON compute eca by Nernst, which the channels must not see.
On every section with this pool call, after building it,
    h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=section)
and set eca (60 mV): it then stays what it was set to, and cai still moves.
ENDCOMMENT

NEURON {
    SUFFIX ca_pool
    USEION ca READ ica WRITE cai
    RANGE depth, fraction, tau, rest
    THREADSAFE
}

UNITS {
    (mA) = (milliamp)
    (molar) = (1/liter)
    (mM) = (millimolar)
    (um) = (micron)
    FARADAY = (faraday) (coulomb)
}

PARAMETER {
    depth = 0.1 (um)
    fraction = 0.001 (1)
    tau = 50 (ms)
    rest = 5e-5 (mM)
}

ASSIGNED {
    ica (mA/cm2)
    influx (mM/ms)
}

STATE { cai (mM) }

INITIAL {
    cai = rest
}

BREAKPOINT {
    SOLVE pool METHOD cnexp
}

DERIVATIVE pool {
    influx = 0
    if (ica < 0) {
        influx = -(1e4)*fraction*ica/(2*FARADAY*depth)
    }
    cai' = influx - (cai - rest)/tau
}
