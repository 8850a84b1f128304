# SPDX-License-Identifier: Apache-2.0
"""A run that validates now and then: where, what it writes, what a resume changes."""

import itertools
import json

import pytest

from dropout_jax import training
from dropout_jax.config import Interrupted, UserError, validate
from dropout_jax.training import loop
from dropout_jax.training.hyperparameters import static_signature
from dropout_jax.training.run_directory import RunDirectory
from dropout_jax.training.validations import validated_epochs

SPARSE = {"train.epochs": 7, "train.validations": 3}
SAME = ("sets", "parameters_sha256", "metrics_sha256", "best_epoch", "test")


def test_validations_lie_closer_at_first_and_the_last_epoch_has_one():
    for epochs in range(1, 60):
        assert validated_epochs(epochs, 0) == tuple(range(1, epochs + 1))
        for count in range(1, epochs + 1):
            found = validated_epochs(epochs, count)
            gaps = [b - a for a, b in itertools.pairwise((0, *found))]
            assert len(found) == count and found[-1] == epochs and min(gaps) >= 1
            # Up to rounding each distance is as long as the one before, or longer.
            assert all(b >= a - 1 for a, b in itertools.pairwise(gaps))


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory, recorder):
    """The same run validated after every epoch, and three times."""
    place = tmp_path_factory.mktemp("validations")
    often = training.run(
        tiny({"train.epochs": 7}), place / "often", progress=recorder()
    )
    return often, training.run(tiny(SPARSE), place / "rarely", progress=recorder())


def test_validations_change_nothing_but_what_is_looked_at(runs):
    """Every record, with its means over the epoch's steps, is that of the other run."""
    often, rarely = (RunDirectory(run.workdir).metrics() for run in runs)
    assert [record["epoch"] for record in rarely] == [1, 3, 7]
    for record in rarely:
        other = often[record["epoch"] - 1]
        for name in record.keys() - {"seconds", "images_per_second"}:
            assert record[name] == other[name], name
    last = [run.values["sets"]["last"] for run in runs]
    assert last[0] == last[1]


def test_the_sets_are_of_validated_epochs(runs):
    result = runs[1]
    records = RunDirectory(result.workdir).metrics()
    found = {name: one["epoch"] for name, one in result.values["sets"].items()}
    best = max(records, key=lambda record: record["validation_accuracy"])
    least = min(records, key=lambda record: record["validation_loss"])
    assert found == {
        "best_accuracy": best["epoch"],
        "least_nll": least["epoch"],
        "last": 7,
    }


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_interrupted_anywhere_between_validations(
    runs, tiny, tmp_path, recorder, monkeypatch, seconds
):
    """After the first steps of a start, and where a chunk spans the whole stretch."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", seconds)
    for step in (1, 9, 18) if seconds else (1, 2, 9, 10, 19, 20):
        with pytest.raises(Interrupted):
            training.run(
                tiny(SPARSE), tmp_path / "run", progress=recorder(stop_after=(step,))
            )
    result = training.run(tiny(SPARSE), tmp_path / "run", progress=recorder())
    for name in SAME:
        assert result.values[name] == runs[1].values[name], name


def test_a_program_does_not_depend_on_validations(tiny):
    assert static_signature(tiny(SPARSE)) == static_signature(tiny({"train.epochs": 7}))


def test_pruning_is_asked_at_validations(tiny, tmp_path, recorder):
    asked = []

    def prune(record):
        asked.append(record["epoch"])
        return record["epoch"] == 3

    result = training.run(
        tiny(SPARSE), tmp_path / "run", prune=prune, progress=recorder()
    )
    assert asked == [1, 3] and result.status == "pruned"
    assert result.values["sets"]["last"]["epoch"] == 3


def test_more_validations_than_epochs(tiny):
    with pytest.raises(UserError, match=r"train.validations=8: .*at most .*epochs=7"):
        validate(tiny({"train.epochs": 7, "train.validations": 8}))
    validate(tiny({"train.epochs": 7, "train.validations": 7}))


def test_spread_validations_cannot_be_extended(tiny, tmp_path):
    """More epochs would move them, and with them the epochs that may be kept."""
    directory = RunDirectory(tmp_path / "run")
    assert directory.open(tiny({**SPARSE, "train.epochs": 6})) is None
    directory.close()
    with pytest.raises(UserError, match=r"cannot extend.*train.validations=3.*6 epoc"):
        directory.open(tiny(SPARSE))


def test_a_run_from_before_the_field_goes_on(tiny, tmp_path):
    directory = RunDirectory(tmp_path / "run")
    assert directory.open(tiny()) is None
    directory.close()
    found = directory.config()
    del found["train"]["validations"]
    (directory.path / "config.json").write_text(json.dumps(found))
    assert directory.open(tiny()) is None
    directory.close()
    with pytest.raises(UserError, match=r"other settings \(train.validations\)"):
        directory.open(tiny({"train.validations": 1}))
