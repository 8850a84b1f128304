# SPDX-License-Identifier: Apache-2.0
"""Sleep, frozen containers, clocks that are set: no healthy worker is killed for it."""

import json
import os
import sys
import time
import types

import pytest

from dropout_jax.data import watched
from dropout_jax.data.unavailable import Unavailable
from dropout_jax.silence import LOOK_SECONDS, Silence
from dropout_jax.sweeps import heartbeat, supervision

HOUR = 3600.0
PATIENCE = 900.0


class Clock:
    """Seconds as a test wants them."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def worker(tmp_path, clock):
    """A worker that lives and beats; its silence is counted by `clock`."""
    command = [sys.executable, "-c", "import time; time.sleep(60)", "--name=a"]
    made = supervision.Worker(tmp_path, command)
    made._silence = Silence(clock)
    heartbeat.write(made.beat, heartbeat.WAITING)
    made.silence()
    yield made
    made.close()


def watched_for(worker, clock, seconds, each=0.2):
    """Looks as `watch` does, for so many seconds; returns the longest silence."""
    longest = 0.0
    for _ in range(round(seconds / each)):
        clock.now += each
        longest = max(longest, worker.silence())
    return longest


def test_silence_is_told_in_the_time_that_was_watched(worker, clock):
    assert watched_for(worker, clock, 2 * PATIENCE) > PATIENCE
    heartbeat.write(worker.beat, heartbeat.WAITING)
    assert worker.silence() == 0.0


@pytest.mark.parametrize("nap", [16 * 60.0, 5 * HOUR])
def test_a_machine_that_slept_has_not_heard_silence(worker, clock, nap):
    """Whether the clock stands still meanwhile, or goes on: the worker slept too."""
    watched_for(worker, clock, 10.0)
    clock.now += nap
    assert worker.silence() <= 10.0 + LOOK_SECONDS
    heartbeat.write(worker.beat, heartbeat.WAITING)  # it goes on
    assert worker.silence() == 0.0


@pytest.mark.parametrize("jump", [HOUR, -HOUR, -50 * 365 * 24 * HOUR])
def test_the_time_of_the_day_may_jump(worker, clock, jump, monkeypatch):
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    for _ in range(5):
        heartbeat.write(worker.beat, heartbeat.WAITING)
        os.utime(worker.beat, (now() + jump,) * 2)  # as files get it from then on
        assert watched_for(worker, clock, 2.0) < 5.0
    (beat,) = heartbeat.read(worker.beat.parent)
    assert beat.age < 60.0


def test_the_age_of_a_heartbeat_bears_a_jump_too(tmp_path, monkeypatch):
    heartbeat.write(tmp_path / "a.json", heartbeat.WAITING)
    now = time.time
    for jump in (HOUR, -HOUR):
        monkeypatch.setattr(time, "time", lambda jump=jump: now() + jump)
        (beat,) = heartbeat.read(tmp_path)
        assert 0.0 <= beat.age < 60.0


def test_a_worker_that_hangs_is_killed_whatever_the_clocks_do(
    worker, clock, monkeypatch, tmp_path
):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(supervision.time, "sleep", lambda seconds: None)
    notes, killed = [], []

    def silence():
        clock.now += 1.0
        return worker._silence.look(heartbeat.sign(worker.beat))

    def kill():
        killed.append(clock.now)
        worker.process.poll = lambda: 0

    worker.silence = silence
    monkeypatch.setattr(worker.process, "kill", kill)
    real = worker.process.poll
    stop = types.SimpleNamespace(made=False)
    supervision.watch(None, [worker], stop, patience=PATIENCE, note=notes.append)
    worker.process.poll = real
    assert killed and PATIENCE < killed[0] < PATIENCE + 5 and "no sign" in notes[0]
    monkeypatch.undo()


def test_a_heartbeat_of_another_boot_is_as_old_as_its_file(tmp_path):
    path = tmp_path / "a.json"
    heartbeat.write(path, heartbeat.WAITING)
    for clock in (["another boot", 1e9], [], ["x"], [None, None], "no list"):
        values = json.loads(path.read_text()) | {"clock": clock}
        path.write_text(json.dumps(values))
        os.utime(path, (time.time() - 100,) * 2)
        ages = [beat.age for beat in heartbeat.read(tmp_path)]
        assert all(90 < age < 200 for age in ages) and len(ages) == (clock != "no list")


def test_a_download_goes_on_after_a_nap(tmp_path, monkeypatch):
    """Frozen for half an hour in its midst; silent for as long, it is given up."""
    clock = Clock()
    monkeypatch.setattr(watched, "Silence", lambda: Silence(clock))
    polls = iter([None] * 4 + [0])
    process = types.SimpleNamespace(poll=lambda: next(polls))

    def freeze(seconds):
        clock.now += HOUR / 2

    monkeypatch.setattr(watched.time, "sleep", freeze)
    watched._watch(process, tmp_path, 30.0, 30.0)
    process = types.SimpleNamespace(poll=lambda: None)
    with pytest.raises(Unavailable, match="nothing came for 30 s"):
        watched._watch(process, tmp_path, 30.0, 30.0)
