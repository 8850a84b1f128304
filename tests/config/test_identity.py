# SPDX-License-Identifier: Apache-2.0
"""Configurations survive JSON, and the id of a trial names what it computes."""

import json
import subprocess
import sys

import pytest

from dropout_jax.config import UserError, canonical, config_id, defaults, from_json
from dropout_jax.config.loading import override
from dropout_jax.config.schema import FIELDS


def changed():
    changes = {"noise.kind": "dropout", "noise.rates": (0.1, 0.5), "seed": 7}
    return override(defaults(), changes)


def test_json_round_trip_gives_the_same_configuration():
    config = changed()
    again = from_json(json.loads(json.dumps(canonical(config))))
    assert again == config
    assert again.is_locked
    assert again.noise.rates == (0.1, 0.5) and isinstance(again.noise.rates, tuple)
    assert config_id(again) == config_id(config)


def test_equal_settings_have_equal_ids():
    config = changed()
    whole = override(config, {"noise.rates": (0, 1), "regularizer.l2": -0.0})
    same = override(config, {"noise.rates": [0.0, 1.0], "regularizer.l2": 0})
    assert config_id(whole) == config_id(same)


def test_every_field_but_those_of_the_machine_changes_the_id():
    other = {str: "x", int: 3, float: 0.25}
    for field in FIELDS:
        if field.of is bool:
            value = not field.default
        else:
            value = (field.choices or (other[field.of],))[-1]
        if value == field.default:
            value = 5
        config = override(
            defaults(), {field.path: (value,) if field.is_tuple else value}
        )
        differs = config_id(config) != config_id(defaults())
        assert differs == field.identity, field.path
    machine = [field.path for field in FIELDS if not field.identity]
    assert machine == ["data.source_dir", "train.devices", "train.checkpoint_seconds"]


def test_the_id_is_the_same_in_another_process():
    code = "from dropout_jax.config import *; print(config_id(defaults()))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == config_id(defaults())
    assert len(done.stdout.strip()) == 64


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "must be a JSON object"),
        (None, "must be a JSON object"),
        ({}, "config.seed is missing"),
        (defaults().to_dict() | {"seed": 1.5}, "config.seed=1.5"),
        (defaults().to_dict() | {"surprise": []}, "newer version wrote it"),
        (defaults().to_dict() | {"model": 3}, "config.model=3 is no field"),
    ],
)
def test_hostile_json_is_refused(given, says):
    with pytest.raises(UserError) as caught:
        from_json(given)
    assert says in str(caught.value)


def test_from_json_does_not_look_for_files_of_another_machine():
    config = override(defaults(), {"data.name": "/elsewhere/data.npz"})
    assert from_json(canonical(config)).data.name == "/elsewhere/data.npz"


def test_what_an_older_version_stored_has_the_defaults_of_newer_fields():
    old = canonical(override(defaults(), {"seed": 7}))
    del old["data"]["split"], old["train"]["validations"]
    assert from_json(old) == override(defaults(), {"seed": 7})
