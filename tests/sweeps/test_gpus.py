# SPDX-License-Identifier: Apache-2.0
"""GPUs are those that JAX finds, whatever tools of the vendor say, or do not say."""

import importlib.util
import os
import subprocess
import sys

import pytest

from dropout_jax.sweeps import gpus, local

LISTED = "0\n1\n2\n3"
TOOLS = {
    "fails with words": "echo Failed to initialize NVML: Unknown Error; exit 18",
    "warns": "echo WARNING: infoROM is corrupted at gpu 0000:00:1E.0; exit 0",
    "lists more than there are": f"printf '{LISTED}'",
    "lists MIG": "printf 'GPU 0: A100\\n  MIG 1g.5gb Device 0: (UUID: MIG-1)'",
    "hangs": "sleep 1000",
}


@pytest.fixture
def with_plugin(monkeypatch):
    """As where JAX's plugin for GPUs is installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: find("json" if name == "jax_plugins" else name, *more),
    )
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.delenv(gpus.VARIABLE, raising=False)
    gpus._found.cache_clear()
    yield
    gpus._found.cache_clear()


@pytest.fixture
def answered(monkeypatch, with_plugin):
    """Returns a function that has the process that is asked say something."""

    def answer(said, code=0):
        def run(command, **options):
            assert options["timeout"] and command[0] == sys.executable
            return subprocess.CompletedProcess(command, code, said, b"")

        gpus._found.cache_clear()
        monkeypatch.setattr(gpus.subprocess, "run", run)

    return answer


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_what_nvidia_smi_says_makes_no_gpu(tmp_path, monkeypatch, tool):
    """The reproduction: its words counted as GPUs: 12 workers, 64 lanes."""
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{tool}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    if importlib.util.find_spec("jax_plugins") is not None:
        monkeypatch.setattr(gpus, "_count", lambda python: 0)
    assert gpus.visible() == ()
    assert local.default_workers() == len(os.sched_getaffinity(0))
    assert local.default_lanes() == 1


def test_jax_is_asked_in_a_process_of_its_own(with_plugin, monkeypatch):
    """For real: here it finds what this process finds, which need not be asked."""
    import jax

    monkeypatch.setenv("PYTHONWARNINGS", "default")
    devices = jax.local_devices()
    expected = len(devices) if devices[0].platform == "gpu" else 0
    assert gpus._count(sys.executable) == expected


@pytest.mark.parametrize(
    ("said", "count"),
    [
        (b"", 0),
        (b"gpus 2\n", 2),
        (b"W0000 unable to find a driver\nTPU gpus 9\n\ngpus 0\n", 0),
        (b"WARNING: all log messages before\n\ngpus 3\nbye\n", 3),
        (b"\xff\xfe\ngpus 1\n", 1),
        (b"gpus many\n", 0),
        (b"gpus -1\n", 0),
    ],
)
def test_only_what_parses_counts(answered, said, count):
    answered(said)
    assert gpus.visible() == tuple(map(str, range(count)))
    assert local.default_lanes() == (64 if count else 1)
    answered(said, code=1)
    assert gpus.visible() == ()


@pytest.mark.parametrize(
    "error", [subprocess.TimeoutExpired("python", 1), FileNotFoundError("python")]
)
def test_a_driver_that_hangs_is_none(with_plugin, monkeypatch, error):
    def run(*unused, **options):
        raise error

    monkeypatch.setattr(gpus.subprocess, "run", run)
    assert gpus.visible() == ()


@pytest.mark.parametrize(
    ("allowed", "count", "names"),
    [
        ("", 0, ()),
        ("-1", 0, ()),
        ("3, 1", 2, ("3", "1")),
        ("0,-1,1", 1, ("0",)),
        ("GPU-8f,GPU-9a", 2, ("GPU-8f", "GPU-9a")),
        ("MIG-1", 1, ("MIG-1",)),
        ("7", 0, ()),  # hidden, or not there
    ],
)
def test_a_variable_names_them(answered, monkeypatch, allowed, count, names):
    monkeypatch.setenv(gpus.VARIABLE, allowed)
    answered(f"gpus {count}\n".encode())
    assert gpus.visible() == names


def test_nobody_is_asked_where_the_cpu_is_wanted(with_plugin, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr(gpus, "_count", lambda python: 1 / 0)
    assert gpus.visible() == ()
