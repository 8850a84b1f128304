# SPDX-License-Identifier: Apache-2.0
"""Lines of a ledger under other settings, of format 1, and several of one trial."""

import json

import pytest

import pretended
from dropout_jax import reports
from dropout_jax.config.errors import UserError
from dropout_jax.data.synthetic import make
from dropout_jax.sweeps import inputs
from dropout_jax.training import settings

SYNTHETIC = make().sha256


def line(trial, *, format_1=False, **values):
    """What a finished trial leaves, under the settings of this process."""
    found = {"format": 2, "study": "study", "arm": trial.arm, "seed": trial.seed}
    found |= {"trial": trial.id, "config": trial.values, "history": {}}
    found |= {"result": pretended.result(**values), "data_sha256": SYNTHETIC}
    if format_1:
        del found["format"]
        return found
    known = {"data": SYNTHETIC, **settings.numbers()}
    return found | {"parts": [{"step": 0, "inputs": known, "versions": {}}]}


def under(monkeypatch, **changed):
    changed = {**settings.numbers(), **changed}
    monkeypatch.setattr(settings, "numbers", lambda: dict(changed))


def test_lines_of_format_1_are_not_taken_under_another_setting(study, monkeypatch):
    trials = study.trials()
    study.ledger.append(line(trials[0], format_1=True))
    assert inputs.check(study, trials)["inputs"]["data synthetic"] == SYNTHETIC
    under(monkeypatch, jax_threefry_partitionable=False)
    with pytest.raises(UserError, match="with jax_threefry_partitionable=True"):
        inputs.check(study, trials)


def test_another_precision_is_neither_offered_nor_accepted(study, monkeypatch):
    trials = study.trials()
    study.ledger.append(line(trials[0]))
    under(monkeypatch, jax_enable_x64=True)
    for accept in (False, True):
        with pytest.raises(UserError) as caught:
            inputs.check(study, trials, accept=accept)
        said = str(caught.value)
        assert "set JAX_ENABLE_X64=False, or choose another --study" in said
        assert "accept" not in said
    under(monkeypatch, jax_enable_x64=False, jax_disable_jit=True)
    with pytest.raises(UserError, match="or accept it with --accept_changes"):
        inputs.check(study, trials)
    inputs.check(study, trials, accept=True)


def test_two_results_of_a_trial_are_said_to_be_two(study):
    """The first counts, in the study as in its report."""
    trials = study.trials()
    other = {"accuracy": 0.25, "nll": 2.0, "ece": 0.1, "brier": 0.5}
    study.ledger.append(line(trials[0]))
    study.ledger.append(line(trials[0], test=other))
    study.ledger.append(line(trials[1]))
    assert study.ledger.by_trial()[trials[0].id]["result"]["test"]["accuracy"] == 0.5
    path = study.write_lines(trials)
    assert len(path.read_text().splitlines()) == 3
    found = reports.load_study(path)
    assert any("found twice with different results" in note for note in found.notes)
    assert [t.test["accuracy"] for t in found.trials] == [0.5, 0.5]
    assert json.loads(path.read_text().splitlines()[0])["seed"] == 0
