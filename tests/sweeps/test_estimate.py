# SPDX-License-Identifier: Apache-2.0
"""How long the rest takes: one estimate, whatever lanes, workers and methods."""

import dataclasses

import pytest

from dropout_jax.sweeps import estimate, heartbeat, shares, status
from dropout_jax.sweeps.display import StudyDisplay
from dropout_jax.sweeps.heartbeat import Heartbeat
from protocols import line


def finish(study, trials, seconds):
    """Enters trials that took so many seconds each into the ledger."""
    for trial in trials:
        found = line(trial, 0.5, 1.0)
        found["result"]["seconds"] = seconds
        study.ledger.append(found)


def left(trials, done, seconds, **options):
    lines = {t.id: {"result": {"seconds": seconds}} for t in trials[:done]}
    pace = estimate.pace(trials, lines)
    return estimate.seconds_left(pace, trials[done:], **options)


@pytest.fixture
def many(trials):
    return trials(*range(132))


def test_nothing_is_known_before_the_first_result(many):
    assert left(many, 0, 0.0, workers=2) is None
    assert estimate.left_in_words(None) == "no estimate yet"


def test_lanes_are_counted_once(many):
    """64 in step for 128 s are 2 s each: what is left takes a process as long again."""
    assert left(many[:128], 64, 2.0, workers=1, lanes=64) == pytest.approx(128.0)
    # A second process has nothing to do: they train in step.
    assert left(many[:128], 64, 2.0, workers=2, lanes=64) == pytest.approx(128.0)
    assert left(many, 4, 2.0, workers=2, lanes=64) == pytest.approx(128.0)


def test_workers_share_what_is_left(many):
    assert left(many[:12], 2, 6.0, workers=5) == pytest.approx(12.0)
    assert left(many[:3], 2, 6.0, workers=5) == pytest.approx(6.0)  # the last one
    begun = {many[2].id: 0.5}
    assert left(many[:3], 2, 6.0, workers=5, begun=begun) == pytest.approx(3.0)


def test_methods_and_lengths_differ(many):
    slow = [dataclasses.replace(trial, arm="slow") for trial in many[4:8]]
    values = {**many[8].values, "train": {**many[8].values["train"], "epochs": 3}}
    longer = dataclasses.replace(many[8], values=values, id="longer")
    everything = [*many[:4], *slow, longer]
    lines = {many[0].id: {"result": {"seconds": 2.0}}}
    lines |= {slow[0].id: {"result": {"seconds": 20.0}}}
    pace = estimate.pace(everything, lines)
    rest = [*many[1:4], *slow[1:], longer]
    found = estimate.seconds_left(pace, rest, workers=1)
    assert found == pytest.approx(3 * 2.0 + 3 * 20.0 + 3 * 2.0)


def test_status_counts_processes_and_not_lanes(study, trials, console):
    """Two lanes of one process, half done; its neighbours wait."""
    planned = trials(*range(6))
    study.extend(planned, lanes=2)
    finish(study, planned[:2], 100.0)
    heartbeat.write(
        study.path / "workers" / "a.json",
        {
            "trials": [t.id for t in planned[2:4]],
            "doing": "it",
            "step": 1,
            "steps": 2,
            "speed": 1.0,
        },
    )
    with study.claim(planned[2]), study.claim(planned[3]):
        status.show_status(study, console)
    # 100 s of the two that are half done, 200 s of two more, one after another.
    assert "about 5 min left" in console.file.getvalue()


def test_status_of_a_study_where_nobody_is_at_work(study, trials, console):
    status.show_status(study, console)
    assert "nobody is at work; no estimate yet" in console.file.getvalue()
    finish(study, trials(0), 600.0)
    shares.remember(study, shares.Shares(2, 1))
    status.show_status(study, console)
    assert "nobody is at work; about 10 min with 2 processes" in (
        console.file.getvalue()
    )


def test_the_display_begins_without_an_estimate(study, trials, console):
    planned = trials(0, 1, 2)
    beats = [
        Heartbeat(str(n), "h:1", (planned[n].id,), "it", 0, 4, None, 0.0)
        for n in (1, 2)
    ]
    with StudyDisplay(study, planned, console, workers=2) as display:
        display.update(beats)
        finish(study, planned[:1], 60.0)
        display.update(beats)
    first, second = console.file.getvalue().splitlines()
    assert first == "3 trials; no estimate yet"
    # Both are at work on one each, whatever the first one took by the clock.
    assert second.startswith("[1/3, about 60 s left] ")
