"""Ray, started on this machine or joined where a cluster runs; an extra, imported when it is first asked for."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from types import ModuleType

from .errors import ConfigError
from .import_path import import_path

_NO_CLUSTER = "no Ray cluster answers at '{address}': start one with ray start --head, or leave out the address"
_REACH_S = 5.0


@contextlib.contextmanager
def joined(workers: int, address: str | None) -> Iterator[ModuleType]:
    """Ray, as long as the block lasts.

    Args:
        workers: cores of a Ray that is started here [-]; a cluster has its own.
        address: of a running cluster, such as "auto"; None starts Ray on this machine.

    Yields:
        The module.

    Raises:
        ConfigError: if Ray is missing, or no cluster answers.
    """
    ray = _ray()
    path = import_path()
    # Ray's own processes import from the folder in which it is started: an empty one, there as long as they are.
    with tempfile.TemporaryDirectory(prefix="tianbao-ray-") as empty:
        with contextlib.chdir(empty):
            _join(ray, workers, address, path)
        try:
            yield ray
        finally:
            ray.shutdown()


def _ray() -> ModuleType:
    # Ray reports its use to its makers unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError("the backend ray needs Ray: pip install 'tianbao[ray]', or use another backend") from error
    return ray


def _join(ray: ModuleType, workers: int, address: str | None, path: list[str]) -> None:
    options = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        variables = {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}
        here = {"address": "local", "num_cpus": workers, "runtime_env": {"env_vars": variables}}
        ray.init(**options, **here)
        return
    _reach(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(_NO_CLUSTER.format(address=address)) from error


def _reach(address: str) -> None:
    """Refuse an address where nothing listens: Ray itself would try for minutes."""
    host, colon, port = address.rpartition("//")[2].rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(_NO_CLUSTER.format(address=address)) from error
