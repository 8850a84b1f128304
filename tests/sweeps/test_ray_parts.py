# SPDX-License-Identifier: Apache-2.0
"""What a study on Ray needs besides Ray: shares, sizes, refusals; without Ray."""

import fcntl
import os
import signal
import socket
import sys
import time

import pytest

from dropout_jax.config import Interrupted, UserError
from dropout_jax.sweeps import commands, ray_cluster, ray_task
from dropout_jax.sweeps.ray_cluster import Placement, placement
from dropout_jax.sweeps.ray_executor import _wanted
from dropout_jax.sweeps.ray_task import Order, tend


def test_without_ray_one_line_says_how_to_get_it(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="needs ray, which is not installed: ") as error:
        commands.resume([f"--study={study.path}", "--executor=ray"])
    assert "\n" not in str(error.value) and not study.ledger.path.exists()


def test_an_address_is_of_a_ray_cluster(study):
    with pytest.raises(UserError, match="--address=a:1 needs --executor=ray"):
        commands.resume([f"--study={study.path}", "--address=a:1"])


@pytest.mark.parametrize(
    ("address", "reason"),
    [("auto", "is no HOST:PORT"), ("127.0.0.1:1", "no Ray cluster can be reached")],
)
def test_an_address_without_a_cluster_is_told_at_once(monkeypatch, address, reason):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(ray_cluster, "check_installed", lambda: None)
    with pytest.raises(UserError, match=reason), ray_cluster.connected(address):
        pass


def test_workers_are_as_many_as_fit_and_as_large_as_that_allows(monkeypatch):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    two = [{"CPU": 16.0}, {"CPU": 8.0}, {"memory": 1.0}]
    assert placement(two, 0, 100) == Placement(24, 1, 0)
    assert placement(two, 0, 2) == Placement(2, 8, 0)
    assert placement(two, 3, 100) == Placement(3, 8, 0)
    assert placement(two, 4, 100) == Placement(4, 5, 0)  # 5 + 5 + 5 and 5
    assert placement(two, 30, 100) == Placement(30, 1, 0)  # six wait
    assert placement([{}], 0, 100) == Placement(1, 1, 0)  # until machines come
    gpus = [{"CPU": 16.0, "GPU": 4.0}, {"CPU": 8.0}]
    assert placement(gpus, 0, 100) == Placement(4, 0, 1)
    assert placement(gpus, 9, 3) == Placement(3, 0, 1)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert placement(gpus, 0, 100) == Placement(24, 1, 0)


def test_workers_of_one_machine_have_different_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(1000, 1005)))
    monkeypatch.setattr(os, "getuid", lambda: "a test")  # apart from studies at work
    with ray_task._share(2) as first:
        with ray_task._share(2) as second, ray_task._share(2) as third:
            assert (first, second, third) == ("0/2", "1/2", "0/1")
        with ray_task._share(2) as again:
            assert again == "1/2"
    with ray_task._share(0) as on_a_gpu:
        assert on_a_gpu == "0/1"


@pytest.fixture
def order(study):
    """What a worker of the study is told."""
    (study.path / "workers").mkdir()
    return Order(
        study=str(study.path),
        wanted=str(study.path / "workers" / f"wanted_{socket.gethostname()}"),
        name="host_1_0",
        place=os.getcwd(),
        cpus=1,
        until=0.0,
        patience=60.0,
    )


def changed(order, **values):
    return Order(**{**vars(order), **values})


def test_a_machine_that_does_not_see_the_locks_runs_nothing(study, order):
    """Two workers might take one trial."""
    with pytest.raises(UserError, match=r"does not see .*wanted_"):
        tend(changed(order, wanted=f"{study.path}/nowhere/wanted_1"))
    with pytest.raises(UserError, match="does not see /not/here"):
        tend(changed(order, place="/not/here"))
    with pytest.raises(UserError, match="does not see file locks") as error:
        tend(order)
    assert "\n" not in str(error.value) and not study.ledger.path.exists()


def test_a_worker_is_tended_to_its_end(
    study, order, trials, quick_environment, monkeypatch
):
    for name, value in quick_environment.items():
        monkeypatch.setenv(name, value)
    with _wanted(study, trials(1)) as wanted:
        locked = changed(order, wanted=str(wanted))
        tend(changed(locked, until=time.time() - 1.0))  # the time is over
        assert not study.ledger.path.exists()
        tend(locked)
        assert study.ledger.by_trial().keys() == {trials(1)[0].id}
        assert list((study.path / "workers").iterdir()) == [wanted]
    assert not wanted.exists()


def test_a_machine_that_is_taken_away_has_its_worker_save(study, order, monkeypatch):
    """SIGTERM: Ray tries again elsewhere what ends with Interrupted."""

    def taken_away(study, team, stop, **unused):
        signal.raise_signal(signal.SIGTERM)
        assert stop.made
        (worker,) = team
        worker.process.terminate()

    monkeypatch.setattr(ray_task, "watch", taken_away)
    with open(order.wanted, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Interrupted):
            tend(order)
