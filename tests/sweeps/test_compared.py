# SPDX-License-Identifier: Apache-2.0
"""What is written twice is compared when it is read."""

import json
import shutil

import pytest

from dropout_jax.reports.records import trial as read_trial
from dropout_jax.stored import Damaged
from dropout_jax.sweeps.ledger import Ledger
from dropout_jax.training import checkpoints
from pretended import outcome, result


def test_a_result_is_of_the_seed_of_its_configuration(study, trials):
    """Reports pair by the seed beside the configuration, ids are of the one in it."""
    line = outcome(study, trials(0)[0]) | {"seed": 1}
    with pytest.raises(Damaged, match="seed is 1, and that of its configuration 0"):
        study.ledger.append(line)
    study.ledger.path.write_text(json.dumps(line) + "\n")
    with pytest.raises(Damaged, match="they must be the same"):
        Ledger(study.ledger.path).lines()
    with pytest.raises(Damaged, match="they must be the same"):
        read_trial("a line", line | {"result": result()})


def test_a_checkpoint_under_the_name_of_another_step_is_passed_over(tmp_path):
    import jax.numpy as jnp

    saved, notes = tmp_path / "checkpoints", []
    tree = {"a": jnp.ones(3)}
    checkpoints.save(saved, 3, tree, {"x": 1})
    shutil.copytree(saved / "3", saved / "7")
    _, host = checkpoints.restore(saved, lambda host: tree, notes.append)
    assert host == {"x": 1} and len(notes) == 1
    assert "passed over: it is that of step 3, under another name" in notes[0]
