# SPDX-License-Identifier: Apache-2.0
"""Worker processes, for real: shared work, deaths, silence, kills, Ctrl-C."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import types

import pytest

from benchmarks import disturbed
from dropout_jax.config import Interrupted, UserError
from dropout_jax.silence import Silence
from dropout_jax.sweeps import (
    StudyDirectory,
    gpus,
    heartbeat,
    local,
    run_local,
    supervision,
)


@pytest.fixture(autouse=True, scope="module")
def _workers_compile_quickly(quick_environment):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in quick_environment.items():
            patch.setenv(name, value)
        yield


def results(study):
    """What each line of the ledger found, by trial; a trial twice is an error."""
    found, doubled = disturbed.results(study)
    assert not doubled
    return found


@pytest.fixture(scope="module")
def many(trials):
    """Six trials."""
    return trials(*range(6))


@pytest.fixture(scope="module")
def undisturbed(many, tmp_path_factory):
    """What the trials find in one process that nobody disturbs."""
    study = StudyDirectory(tmp_path_factory.mktemp("undisturbed") / "study")
    study.extend(many)
    assert run_local(study, many, workers=1)
    return results(study)


def later(condition, action):
    """Runs `action` once `condition` holds, beside the test; ends within a minute."""

    def watch():
        end = time.monotonic() + 60
        while not condition() and time.monotonic() < end:
            time.sleep(0.01)
        action()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def beats(study):
    return heartbeat.read(study.path / "workers")


def pid(beat):
    return int(beat.process.rpartition(":")[2])


def test_a_worker_that_ends_after_a_long_life_is_not_taken_for_silent(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(60)", "--name=a"]
    worker = supervision.Worker(tmp_path, command)
    now = [0.0]
    worker._silence = Silence(lambda: now[0])
    now[0] += 1000.0  # it has run for long
    heartbeat.write(worker.beat, heartbeat.WAITING)
    assert worker.silence() == 0.0
    worker.beat.unlink()  # as it ends
    assert worker.silence() == 0.0
    for _ in range(1000):  # and then it hangs
        now[0] += 1.0
        worker.silence()
    assert worker.silence() == 1000.0
    worker.close()


def test_workers_share_a_study(tmp_path, many, undisturbed, console):
    study = StudyDirectory(tmp_path)
    study.extend(many)
    assert run_local(study, many, workers=2, console=console)
    assert results(study) == undisturbed
    shown = console.file.getvalue()
    # Validation alone, by which a setting may be chosen.
    assert shown.count("validation accuracy") == 6 and "[6/6] " in shown
    assert "test accuracy" not in shown
    assert not list((study.path / "workers").iterdir())  # nothing is left behind


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_falls_silent_is_replaced(
    tmp_path, many, undisturbed, console, how
):
    study = StudyDirectory(tmp_path)
    study.extend(many)
    struck = []

    def strike():
        struck.append(pid(beats(study)[0]))
        os.kill(struck[0], how)

    thread = later(lambda: beats(study), strike)
    # Longer than a worker takes to start on a busy machine.
    assert run_local(study, many, workers=1, patience=20.0, console=console)
    thread.join()
    assert struck and results(study) == undisturbed
    shown = console.file.getvalue()
    assert "died at drop 0.2/x seed" in shown and "signal 9" in shown
    assert ("no sign for 20 s" in shown) == (how == signal.SIGSTOP)


def test_a_stop_request_reaches_every_worker(tmp_path, many, undisturbed, console):
    study = StudyDirectory(tmp_path)
    study.extend(many)
    me = os.getpid()
    thread = later(
        lambda: len(results(study)) > 1,
        lambda: os.kill(me, signal.SIGINT),
    )
    with pytest.raises(Interrupted):
        run_local(study, many, workers=2, console=console)
    thread.join()
    assert 1 < len(results(study)) < 6 and not beats(study)
    assert not any(study.claimed(trial) for trial in many)
    assert run_local(study, many, workers=2, console=console)
    assert results(study) == undisturbed and not study.failures()


def test_what_holds_for_every_trial_is_told_once(tmp_path, trials, monkeypatch):
    """The data are gone: no trial is to blame."""
    study = StudyDirectory(tmp_path)
    (trial,) = trials(0)
    values = json.loads(json.dumps(dict(trial.values)))
    values["data"]["name"] = str(tmp_path / "gone.npz")
    study.extend([type(trial)(trial.study, trial.arm, values, "0" * 64)])
    with pytest.raises(UserError, match="nothing at that path") as error:
        run_local(study, study.trials(), workers=1)
    assert "\n" not in str(error.value) and not study.failures()


def test_workers_that_cannot_even_start_end_the_study(tmp_path, trials, monkeypatch):
    study = StudyDirectory(tmp_path)
    study.extend(trials(0))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(UserError, match=r"workers die before .*exit code 1"):
        run_local(study, trials(0), workers=1)


def test_shares_of_the_machine(monkeypatch):
    taken = []
    monkeypatch.setattr(gpus, "visible", tuple)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3, 6})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: taken.append(cores))
    assert local.default_workers() == 5
    for number in range(2):
        local.take_share(number, 2)
    local.take_share(6, 7)  # more workers than cores
    assert taken == [{0, 2}, {1, 3}, {1}]  # alike: threads change the rounding
    local.take_share(1, 2, threads=1)
    assert taken.pop() == {1}
    monkeypatch.setattr(gpus, "visible", lambda: ("4", "7"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert local.default_workers() == 2
    local.take_share(1, 2, gpu="7")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7" and len(taken) == 3


def test_nice_before_the_command_reaches_a_session_of_its_own():
    script = (
        "import os, pathlib; os.nice(7)\n"
        "from dropout_jax.sweeps.local import keep_nice; keep_nice()\n"
        "group = pathlib.Path('/proc/self/autogroup')\n"
        "print(group.read_text().split()[-1] if group.exists() else os.nice(0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["7"]


@pytest.mark.long
def test_killed_at_random_moments_nothing_is_lost_or_doubled(
    tmp_path, many, undisturbed
):
    study = StudyDirectory(tmp_path)
    study.extend(many)
    random.seed(0)
    disturbed.run_killed(study, workers=2, kills=2, seconds=(2, 6))
    assert results(study) == undisturbed


def test_a_death_between_two_looks_is_not_taken_for_an_end(tmp_path, trials):
    """The worker lives when its exit code is asked for, and no longer after that."""
    study = StudyDirectory(tmp_path)
    study.extend(trials(0))
    codes = iter([None, 1, 1, 0, 0])
    process = types.SimpleNamespace(poll=lambda: next(codes))
    worker = types.SimpleNamespace(
        process=process,
        name="w",
        beat=study.path / "workers" / "w.json",
        deaths=0,
        silence=lambda: 0.0,
        started=[],
    )
    worker.start = lambda: worker.started.append(True)
    stop = types.SimpleNamespace(made=False)
    notes = []
    supervision.watch(study, [worker], stop, patience=1.0, note=notes.append)
    assert len(worker.started) == worker.deaths == 2


def test_a_worker_that_has_no_room_to_say_why_it_died(tmp_path, monkeypatch):
    worker = supervision.Worker(tmp_path, [sys.executable, "-c", "", "--name=w"])
    assert worker.process.wait(timeout=60) == 0
    assert worker.last_line() == "it said nothing"
    full = types.SimpleNamespace(free=0)
    monkeypatch.setattr(supervision.shutil, "disk_usage", lambda place: full)
    assert "w cannot be written (No space left on device)" in worker.last_line()
    worker.close()


def test_what_a_killed_worker_was_writing_goes_with_it(tmp_path):
    worker = supervision.Worker(tmp_path, [sys.executable, "-c", "", "--name=w"])
    worker.process.wait(timeout=60)
    (tmp_path / ".w.json.123.tmp").write_text("{")
    (tmp_path / ".other.json.123.tmp").write_text("{")
    worker.close()
    assert [path.name for path in tmp_path.iterdir()] == [".other.json.123.tmp"]
