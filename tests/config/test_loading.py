# SPDX-License-Identifier: Apache-2.0
"""Overrides and modules; the complaints about config files are in test_cli.py."""

import os
import sys

import pytest

from dropout_jax.config import UserError, defaults
from dropout_jax.config.loading import load_config, load_module, override


def test_override_leaves_the_original_alone():
    base = defaults()
    config = override(base, {"noise.rates": [0.3], "seed": 5})
    assert (config.noise.rates, config.seed) == ((0.3,), 5)
    assert base == defaults()
    assert config.is_locked and config.noise.is_locked


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"noise.rate": 0.3}, "config.noise.rates"),
        ({"noise": 3}, "config.noise=3: is a group"),
        ({"noise.rates": 0.3}, "config.noise.rates=0.3: must be a tuple"),
        ({"seed": True}, "config.seed=True: must be a whole number"),
    ],
)
def test_override_refuses(values, says):
    with pytest.raises(UserError) as caught:
        override(defaults(), values)
    assert says in str(caught.value)


def test_a_module_offers_more_than_get_config(tmp_path):
    file = tmp_path / "study.py"
    file.write_text("def sweep():\n    yield {'seed': 1}\n")
    before = set(sys.modules)
    module = load_module(file)
    assert list(module.sweep()) == [{"seed": 1}]
    # Under a private name, which hides nothing.
    assert set(sys.modules) - before == {module.__name__}


def test_a_pipe_is_no_config_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(UserError, match="is a pipe or a device"):
        load_config(tmp_path / "pipe.py")


def test_two_files_of_one_name_are_two_modules(tmp_path):
    loaded = []
    for number in (1, 2):
        file = tmp_path / str(number) / "same.py"
        file.parent.mkdir()
        file.write_text(
            "from dropout_jax.config import defaults\n"
            "def get_config():\n    config = defaults()\n"
            f"    config.seed = {number}\n    return config\n"
        )
        loaded.append(load_config(file).seed)
    assert loaded == [1, 2]
