"""Question: for how long does NetPyNE run, and which neurons does it record? `simConfig` for netParams.py."""

from tianbao.io.netpyne_model import run_options

simConfig = run_options(duration=200.0, dt=0.5, record=["AVBL", "VB6", "DB4", "VD6", "SMDVL"])
cfg = simConfig

if __name__ == "__main__":
    print(__doc__)
