# SPDX-License-Identifier: Apache-2.0
"""Studies on a real Ray cluster of several nodes: losses, kills, Ctrl-C (test-ray)."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import processes
from dropout_jax.config.loading import override
from dropout_jax.sweeps import StudyDirectory, heartbeat, plan
from dropout_jax.sweeps.ray_cluster import LOCAL_SETTINGS, SETTINGS

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
RESULTS = ("parameters_sha256", "metrics_sha256", "test", "validation", "best_epoch")
# What /proc/net/tcp and tcp6 call 127.0.0.1 and ::ffff:127.0.0.1.
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
SECONDS = 600  # for anything here, on a busy machine


@pytest.fixture(scope="module")
def long(trials):
    """Eight trials that are saved on the way."""
    (tiny,) = trials(0)
    values = {"train.epochs": 60, "train.checkpoint_seconds": 0.3}
    sweep = ({"arm": "drop 0.2", "seed": seed} for seed in range(8))
    return plan("study", override(tiny.config, values), sweep)


@pytest.fixture(scope="module")
def environment(quick_environment):
    """The environment of all processes here; says which ones they are."""
    # Names of sockets are short: pytest's directories are too deep.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        yield {
            **quick_environment,
            **SETTINGS,
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "TMPDIR": directory,
            "TESTED_BY": secrets.token_hex(8),
        }


def mark(environment):
    return f"TESTED_BY={environment['TESTED_BY']}"


def start(study, environment, *flags, name="resume"):
    """Starts a command as a shell does: in a process group of its own."""
    command = [sys.executable, "-m", "dropout_jax.sweeps", name]
    return subprocess.Popen(
        [*command, f"--study={study.path}", *flags],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(process):
    """Returns the exit code and what was said."""
    try:
        said, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, said


def results(study):
    """What each line of the ledger found, by trial; a trial twice is an error."""
    found = [json.loads(line) for line in study.ledger.path.read_text().splitlines()]
    assert len({line["trial"] for line in found}) == len(found)
    return {
        line["trial"]: {name: line["result"].get(name) for name in RESULTS}
        for line in found
    }


def training(study):
    """Returns the processes of the workers that are training, by name."""
    beats = heartbeat.read(study.path / "workers")
    found = {
        beat.worker: int(beat.process.rpartition(":")[2])
        for beat in beats
        if beat.steps  # on a fast machine a trial ends before its speed is known
    }
    return {name: one for name, one in found.items() if processes.parent(one)}


def at_work(study, besides=()):
    """Returns the processes of the workers that are training."""
    return list(set(training(study).values()) - set(besides))


def hold(study, besides):
    """Stops a worker in the midst of a trial; returns its name and process, if any.

    A machine may be as fast as it likes: what is stopped does not end meanwhile.
    """
    for beat in heartbeat.read(study.path / "workers"):
        process = int(beat.process.rpartition(":")[2])
        if not beat.steps or process in besides or not processes.parent(process):
            continue
        os.kill(process, signal.SIGSTOP)
        wait(lambda one=process: processes.state(one) in "TtXZ")
        now = {b.worker: b for b in heartbeat.read(study.path / "workers")}
        trials = now[beat.worker].trials if beat.worker in now else ()
        if trials and not study.ledger.by_trial().keys() & set(trials):
            return beat.worker, process
        os.kill(process, signal.SIGCONT)  # it was just at the end of one
    return None


def wait(condition):
    """Returns what `condition` does once it is true."""
    until = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.02)
    return found


def new_study(path, trials):
    study = StudyDirectory(path)
    study.extend(trials)
    return study


@pytest.fixture(scope="module")
def undisturbed(long, environment, tmp_path_factory):
    """What the trials find in one process of this machine that nobody disturbs."""
    study = new_study(tmp_path_factory.mktemp("undisturbed"), long)
    code, said = end(start(study, environment, "--workers=1"))
    assert code == 0, said
    return results(study)


@pytest.fixture
def cluster(environment):
    """The address of a cluster of three nodes with a core each."""
    with subprocess.Popen(
        [sys.executable, ROOT / "tests/sweeps/ray_nodes.py", "3"],
        cwd=ROOT,
        env={**environment, **LOCAL_SETTINGS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("127.0.0.1:")
            yield address
            process.stdin.close()
            process.wait(timeout=60)
        finally:
            processes.kill(processes.offspring(process.pid))


def test_workers_and_a_node_killed_nothing_is_lost_or_doubled(
    tmp_path, long, undisturbed, environment, cluster
):
    study = new_study(tmp_path / "study", long)
    flags = ("--executor=ray", f"--address={cluster}", "--workers=3")
    driver, held = start(study, environment, *flags), []

    def one_more():
        held.append(wait(lambda: hold(study, [process for _, process in held])))
        return held[-1]

    try:
        # Each of the three is stopped in a trial of its own, so that there is work left
        # for whoever comes back.
        (name, asked), (_, killed), (_, orphan) = [one_more() for _ in range(3)]
        # SIGTERM, as when a machine is taken away: the worker saves, Ray tries again.
        os.kill(processes.parent(asked), signal.SIGTERM)
        os.kill(asked, signal.SIGCONT)
        again, back = one_more()
        assert again == name
        # A worker: who watches over it starts another one.
        processes.kill([killed])
        # Who watches over one: Ray starts another, on the same node or not.
        tending = processes.parent(orphan)
        assert processes.name(tending) == "ray::tend"
        processes.kill([tending])
        os.kill(orphan, signal.SIGCONT)  # to hear of it
        # A machine, with all that runs on it.
        node = processes.parent(processes.parent(back))
        assert processes.name(node).endswith("raylet")
        processes.kill(lost := processes.offspring(node))
        assert len(lost) > 2
    finally:
        for _, process in held:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        code, said = end(driver)
    assert code == 0, said
    assert results(study) == undisturbed, said
    assert said.count("died at drop 0.2 seed") == 1, said
    assert len(study.failures()) == 1  # a machine's loss is no failure of the trial
    assert not list((study.path / "workers").glob("*.json"))
    assert not list((study.path / "workers").glob("wanted*"))


def test_ctrl_c_leaves_no_process_and_the_next_command_goes_on(
    tmp_path, long, undisturbed, environment
):
    """On a cluster of its own, that listens on the loopback interface alone."""
    study = new_study(tmp_path, long)
    driver = start(study, environment, "--executor=ray", "--workers=2")
    try:
        wait(lambda: at_work(study))
        running = processes.marked(mark(environment))
        assert processes.listening(running) == LOOPBACK
        begun = [study.run_directory(trial).exists() for trial in long]
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
    finally:
        code, said = end(driver)
    assert code == 130 and "every worker saves what it has" in said, said
    wait(lambda: not processes.marked(mark(environment)))
    done = len(results(study)) if study.ledger.path.exists() else 0
    assert any(begun) and done < len(long) and not study.failures()
    wait(lambda: not any(study.claimed(trial) for trial in long))
    code, said = end(start(study, environment, "--executor=ray"))
    assert code == 0 and results(study) == undisturbed, said


def test_a_killed_driver_leaves_no_process(tmp_path, long, environment):
    study = new_study(tmp_path, long)
    driver = start(study, environment, "--executor=ray", "--workers=1")
    try:
        wait(lambda: at_work(study))
        driver.kill()
    finally:
        end(driver)
    wait(lambda: not processes.marked(mark(environment)))
    wait(lambda: not any(study.claimed(trial) for trial in long))
    assert not study.failures()


def test_a_cluster_lets_nobody_in_without_its_token(
    tmp_path, long, environment, cluster
):
    study = new_study(tmp_path / "study", long)
    stranger = {**environment, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    flags = ("--executor=ray", f"--address={cluster}")
    code, said = end(start(study, stranger, *flags))
    *_, last = said.splitlines()  # Ray itself says more
    assert code == 2 and last.startswith("error: Ray cannot use"), said
    assert "token" in last, said
    assert not study.ledger.path.exists()


def test_what_no_machine_can_do_is_told_in_one_line(tmp_path, long, environment):
    (trial, *_) = long
    values = json.loads(json.dumps(dict(trial.values)))
    values["data"]["name"] = str(tmp_path / "gone.npz")
    lost = type(trial)(trial.study, trial.arm, values, "0" * 64)
    study = new_study(tmp_path, [lost])
    code, said = end(start(study, environment, "--executor=ray"))
    assert code == 2 and "nothing at that path" in said, said
    assert said.splitlines()[-1].startswith("error: worker "), said
    assert not study.failures()


SEARCHED = """
from dropout_jax.config import defaults
from dropout_jax.config.loading import override
from dropout_jax.sweeps.distributions import log_uniform, uniform

def get_config():
    data = {"data.name": "synthetic", "data.train_size": 64, "train.batch_size": 32}
    network = {"model.widths": (4,), "train.epochs": 4, "seed": 1000}
    return override(defaults(), {**data, **network})

def space():
    rate = {"optimizer.learning_rate": log_uniform(1e-3, 1e-1)}
    return {
        "none": rate,
        "dropout": {
            **rate,
            "noise.kind": "dropout",
            "noise.rates": (uniform(0.1, 0.6),),
        },
    }
"""


def test_a_search_holds_one_cluster_and_finds_what_one_machine_finds(
    tmp_path, environment
):
    (tmp_path / "space.py").write_text(SEARCHED)
    flags = (f"--config={tmp_path / 'space.py'}", "--trials=3", "--workers=2")

    def start_search(name, *more):
        study = StudyDirectory(tmp_path / name)
        return study, start(study, environment, *flags, *more, name="search")

    here, driver = start_search("here")
    code, said = end(driver)
    assert code == 0, said
    there, driver = start_search("there", "--executor=ray")
    clusters = set()
    while driver.poll() is None:
        running = processes.marked(mark(environment))
        clusters |= {
            one for one in running if processes.name(one).endswith("gcs_server")
        }
        time.sleep(0.1)
    code, said = end(driver)
    assert code == 0, said
    assert len(results(here)) == 6 and results(there) == results(here)
    won = [(study.path / "winners.json").read_text() for study in (here, there)]
    assert won[0] == won[1]
    assert said.count("trials asked for") == 3  # batches
    assert len(clusters) == 1
