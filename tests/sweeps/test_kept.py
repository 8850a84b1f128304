# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of finished trials take no room, unless they are asked for."""

import pytest

from dropout_jax.config import UserError
from dropout_jax.sweeps import StudyDirectory, kept, work
from dropout_jax.sweeps.study import open_study
from dropout_jax.training import load_run, runs


def saved(study):
    return sorted(study.path.glob("*/*/checkpoints/*"))


@pytest.mark.parametrize("lanes", [1, 2])
def test_checkpoints_of_finished_trials_are_removed(tmp_path, trials, lanes):
    study, planned = StudyDirectory(tmp_path / "study"), trials(0, 1)
    study.extend(planned, lanes=lanes)
    assert work(study, planned) and not saved(study)
    with pytest.raises(UserError, match=r"unless it is run with --keep_checkpoints"):
        load_run(study.run_directory(planned[0]))
    assert work(study, planned)  # and nothing runs again


def test_a_study_that_keeps_them_remembers_it(tmp_path, trials):
    study, planned = StudyDirectory(tmp_path / "study"), trials(0, 1)
    study.extend(planned)
    kept.keep(study)
    assert work(study, planned[:1]) and len(saved(study)) == 1
    study.extend(planned)  # as the same command does again
    assert work(open_study(study.path), planned) and len(saved(study)) == 2
    assert load_run(study.run_directory(planned[1])).result["status"] == "done"


def test_they_are_there_until_the_trial_is_finished(tmp_path, trials, monkeypatch):
    """A failure after training loses no step of it."""
    study, planned = StudyDirectory(tmp_path / "study"), trials(0)
    study.extend(planned)
    seen = []

    def broken(*unused, **also_unused):
        seen.append(len(saved(study)))
        raise OSError("no test today")

    monkeypatch.setattr(runs.Loop, "test", broken)
    assert not work(study, planned)
    assert seen == [1, 1, 1] and len(saved(study)) == 1
