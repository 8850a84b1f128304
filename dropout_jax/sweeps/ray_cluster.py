# SPDX-License-Identifier: Apache-2.0
"""A Ray cluster to work on: one that is there, or one started here for a while."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import ipaddress
import os
import re
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dropout_jax.config.errors import UserError, told
from dropout_jax.config.missing import missing
from dropout_jax.sweeps import gpus

# What a cluster is asked with, unless the user's environment says otherwise: a token
# instead of a door that is open to all, and nothing told to Ray's makers.
SETTINGS = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
# With this, 127.0.0.1 is 127.0.0.1. Without it Ray takes another address of the machine
# in its place, and every process of it listens on all interfaces. Read at its import.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
# When memory runs out the kernel ends a worker, and its trial has failed; Ray would try
# it again without end.
LOCAL_SETTINGS = {**LOOPBACK, "RAY_memory_monitor_refresh_ms": "0"}
REACH_SECONDS = 10.0
_TOKEN = re.compile(r"token|authenticat|authoriz|credential", re.IGNORECASE)
OBJECT_STORE_BYTES = 80 * 2**20  # about the least it takes; nothing goes through it


def check_installed() -> None:
    """Raises UserError if the package `ray` is not there; does not import it."""
    if importlib.util.find_spec("ray") is None:
        raise missing("ray", "--executor=ray")


@contextlib.contextmanager
def connected(address: str = "") -> Iterator[Any]:
    """Connects to a cluster for the length of a `with`; gives the package `ray`.

    Within another such `with`, that one's connection, which stays. A cluster that is
    started here listens on the loopback interface only, asks for a token that no one
    else knows, has no dashboard, and ends with the `with`.

    Args:
      address: of a cluster that is there, HOST:PORT; empty to start one on the cores
        and GPUs of this machine.

    Raises:
      UserError: Ray is not installed, or the cluster does not let us in.
    """
    check_installed()
    if (ray := sys.modules.get("ray")) is not None and ray.is_initialized():
        yield ray
        return
    os.environ.update(SETTINGS | dict(os.environ))
    if address:
        if _reached(address).is_loopback:
            os.environ.update(LOOPBACK)
    else:
        os.environ.update(LOCAL_SETTINGS)
        if "RAY_AUTH_TOKEN_PATH" not in os.environ:
            # Ray's own way is a file in the home directory that all may read.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        ray = importlib.import_module("ray")  # by now: it reads some settings only here
    except Exception as error:
        raise UserError(f"Ray is there, but does not import: {told(error)}") from error
    handler = signal.getsignal(signal.SIGTERM)
    # Ray's default is a directory that all may write to.
    with tempfile.TemporaryDirectory(
        prefix="ray_", ignore_cleanup_errors=True
    ) as private:
        try:
            _connect(ray, address, private)
            with contextlib.suppress(ValueError):  # not the main thread: none was set
                signal.signal(signal.SIGTERM, handler)
            yield ray
        finally:
            ray.shutdown()


def _reached(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Returns the IP address of a cluster; Ray itself would wait for it without end."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"--address={address} is no HOST:PORT")
    try:
        with socket.create_connection((host, int(port)), REACH_SECONDS) as door:
            return ipaddress.ip_address(door.getpeername()[0])
    except (OSError, OverflowError) as error:
        raise UserError(
            f"--address={address}: no Ray cluster can be reached there ({error})"
        ) from error


def _connect(ray: Any, address: str, private: str) -> None:
    try:
        if address:
            ray.init(address=address, logging_level="ERROR")
            return
        ray.init(
            address="local",
            num_cpus=len(os.sched_getaffinity(0)),
            num_gpus=len(gpus.visible()),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            logging_level="ERROR",
            _temp_dir=private,
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = f"the cluster at {address}" if address else "a cluster of its own"
        reason = str(error).strip().splitlines() or [type(error).__name__]
        about_tokens = address and _TOKEN.search(str(error))
        hint = "; is RAY_AUTH_TOKEN, or ~/.ray/auth_token, its token?" * bool(
            about_tokens
        )
        raise UserError(f"Ray cannot use {where}: {reason[0]}{hint}") from error
    if not ipaddress.ip_address(ray.util.get_node_ip_address()).is_loopback:
        raise UserError(
            "Ray was imported before and would listen on all interfaces; import "
            "nothing of it first, or start a cluster and give its address"
        )


@dataclasses.dataclass(frozen=True)
class Placement:
    """How workers are spread over a cluster.

    Attributes:
      workers: their number.
      cpus: cores that each one has to itself; 0 if it has a GPU.
      gpus: 1 or 0.
    """

    workers: int
    cpus: int
    gpus: int


def placement(
    machines: Sequence[Mapping[str, float]], workers: int, most: int, threads: int = 0
) -> Placement:
    """Returns a GPU for each worker if there are any, else as many cores as there are.

    Args:
      machines: what each one has, as Ray tells it.
      workers: their number; 0 for one per GPU, or per core.
      most: number of trials that are left, and so of workers that have work.
      threads: cores of each, where a machine has so many; 0: as many as there are.

    Example:
      >>> placement([{"CPU": 8.0}, {"CPU": 4.0}], workers=5, most=100)
      Placement(workers=5, cpus=2, gpus=0)
    """
    gpus = int(sum(machine.get("GPU", 0) for machine in machines))
    if gpus and os.environ.get("JAX_PLATFORMS") != "cpu":
        return Placement(min(workers or gpus, most), 0, 1)
    cores = [int(machine.get("CPU", 0)) for machine in machines]
    count = max(1, min(workers or sum(cores), most))
    if 0 < threads <= max(cores, default=0):
        return Placement(count, threads, 0)
    fitting = [
        cpus
        for cpus in range(1, max(cores, default=0) + 1)
        if sum(has // cpus for has in cores) >= count
    ]
    return Placement(count, max(fitting, default=1), 0)
