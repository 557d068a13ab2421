COMMENT
Calcium in a thin shell under the membrane, as the isolated SLO channels of Nicoletti et al. 2024
see it. Not ca_pool.mod, which is that of the 14 channels: here all of the calcium current counts,
the time constant is 1 ms, and the concentration never falls below `lowest` (tianbao/cells/published.py).

Source: Nicoletti et al. 2024: per step ca += 1e4 dt (-ica/(2 F 0.1) - 1e-4 ca), and 1e-4 mM where
that is less. Here the same as an equation in time; where influx and removal balance below the
lowest value it relaxes to that value instead of stopping there, a difference that lasts 1 ms.

A mechanism that writes cai makes NEURON compute eca by Nernst, as the source does: 119 mV at `lowest`
and 6.3 degC, less while calcium flows in. To hold it call h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=section).
ENDCOMMENT

NEURON {
    SUFFIX ca_shell
    USEION ca READ ica WRITE cai
    RANGE depth, tau, lowest
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
    tau = 1 (ms)
    lowest = 1e-4 (mM)
}

ASSIGNED {
    ica (mA/cm2)
    balance (mM)
}

STATE { cai (mM) }

INITIAL {
    cai = lowest
}

BREAKPOINT {
    SOLVE shell METHOD cnexp
}

DERIVATIVE shell {
    balance = -(1e4)*tau*ica/(2*FARADAY*depth)
    if (balance < lowest) {
        balance = lowest
    }
    cai' = (balance - cai)/tau
}
