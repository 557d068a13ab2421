"""Question: what does the nervous system of the worm do in NetPyNE, without a body?

NetPyNE's `netParams` of the standard worm, to import, edit and run as usual:

    from netParams import netParams
    from cfg import simConfig
    from netpyne import sim

    netParams.stimSourceParams["current_AVBL"]["amp"] += 0.01    # nA
    sim.createSimulateAnalyze(netParams, simConfig)

See: voltages of neurons involved in crawling, which become constant, because the input of stretch receptors is 0.
Time: some seconds for the 200 ms of cfg.py. For a folder that does not need Tianbao: tianbao export netpyne.
"""

from tianbao import Worm
from tianbao.io.netpyne_model import network_parameters

netParams = network_parameters(Worm())

if __name__ == "__main__":
    print(__doc__)
