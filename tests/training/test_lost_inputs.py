# SPDX-License-Identifier: Apache-2.0
"""Inputs are known where env.json was lost, and where older results do not say them."""

import json

import jax
import numpy as np
import pytest

from dropout_jax import training
from dropout_jax.config.errors import Interrupted, UserError
from dropout_jax.training import environment, fingerprint, run_inputs
from dropout_jax.training.run_directory import RunDirectory


def write_data(path, shift=0):
    labels = (np.arange(96) + shift) % 3
    images = np.random.default_rng(0).integers(0, 255, (96, 4, 4)).astype(np.uint8)
    arrays = {f"{split}_images": images for split in ("train", "test")}
    np.savez(path, **arrays, train_labels=labels, test_labels=labels)


@pytest.fixture
def own(tmp_path, tiny):
    """A configuration on data of its own without a validation set, and their path."""
    write_data(tmp_path / "own.npz")
    return tiny({"data.name": str(tmp_path / "own.npz"), "data.train_size": 0})


@pytest.fixture(params=["interrupted", "finished"])
def saved(request, own, tmp_path, recorder):
    """A run that has saved something, without its env.json."""
    stop = [3] if request.param == "interrupted" else ()
    try:
        training.run(own, tmp_path / "run", progress=recorder(stop_after=stop))
    except Interrupted:
        assert stop
    (tmp_path / "run" / "env.json").unlink()
    return tmp_path / "run"


@pytest.mark.parametrize("damage", [False, True])
def test_data_that_changed_are_seen_without_env_json(own, saved, recorder, damage):
    if damage:
        (saved / "env.json").write_text("{")
    write_data(own.data.name, shift=1)
    before = {p: p.read_bytes() for p in saved.rglob("*") if p.is_file()}
    with pytest.raises(UserError, match=r"was computed with data \w{12}.*has data \w"):
        training.run(own, saved, progress=recorder())
    assert before == {p: p.read_bytes() for p in saved.rglob("*") if p.is_file()}
    write_data(own.data.name)
    training.run(own, saved, progress=recorder())
    assert RunDirectory(saved).result()["status"] == "done"


def test_how_own_data_were_split_is_an_input(own, tmp_path, recorder):
    """A run of a version that took the last tenth does not go on with another split."""
    training.run(own, tmp_path / "run", progress=recorder())
    path = tmp_path / "run" / "env.json"
    found = json.loads(path.read_text())
    (part,) = found["parts"]
    assert part["inputs"].pop("split") == "drawn by seed 0, stratified"
    path.write_text(json.dumps(found))
    with pytest.raises(UserError) as caught:
        training.run(own, tmp_path / "run", progress=recorder())
    said = str(caught.value)
    assert (
        "with split in the order of the file, and this process has split drawn" in said
    )
    assert "use the version of dropout_jax that split them so" in said


def test_a_result_of_the_first_format_counts_as_computed_with_the_defaults():
    known = fingerprint.completed({"data": "ab"}, "fashion_mnist")
    assert known["jax_threefry_partitionable"] is True and "split" not in known
    found = fingerprint.differences(known, {"jax_threefry_partitionable": False})
    assert list(found) == ["jax_threefry_partitionable"]
    assert fingerprint.completed({}, "own.npz") == {}  # nothing is known of it
    told = {"data": "ab", "jax_enable_x64": True}
    assert fingerprint.completed(told, "fashion_mnist") == told


def test_the_defaults_are_those_of_this_jax():
    now = environment.inputs("", {"data": "ab"})
    assert fingerprint.FORMER_SETTINGS.items() <= now.items()


def test_a_first_format_run_is_not_resumed_under_another_setting(
    own, tmp_path, recorder
):
    training.run(own, tmp_path / "run", progress=recorder())
    path = tmp_path / "run" / "env.json"
    found = json.loads(path.read_text())
    found["parts"][0]["inputs"] = {
        name: found["parts"][0]["inputs"][name] for name in ("data", "split")
    }
    path.write_text(json.dumps(found))
    assert run_inputs.saved(RunDirectory(tmp_path / "run"))["jax_disable_jit"] is False
    with jax.default_matmul_precision("highest"):
        with pytest.raises(UserError, match="jax_default_matmul_precision=None, and"):
            training.run(own, tmp_path / "run", progress=recorder())
