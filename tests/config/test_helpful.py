# SPDX-License-Identifier: Apache-2.0
"""Near misses, and packages that are not there."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from dropout_jax.config import UserError, missing
from dropout_jax.config.alike import closest, hint
from dropout_jax.config.guard import guarded
from dropout_jax.config.near_files import hint_of_path
from dropout_jax.sweeps.chosen import chosen


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("droput", ["none", "dropout"], "dropout"),
        ("DROPOUT", ["none", "dropout"], "dropout"),
        ("wd", ["l2", "weight_decay"], "weight_decay"),
        ("gauss", ["dropout", "gaussian_dropout"], "gaussian_dropout"),
        ("decay", ["l2", "weight_decay"], "weight_decay"),
        ("sutdy", ["study", "status"], "study"),
        ("banana", ["study", "status"], None),
        ("anything", [], None),
    ],
)
def test_the_closest_name(word, known, found):
    assert closest(word, known) == found
    assert hint(word, known) == (f"; did you mean {found}?" if found else "")


def test_the_closest_path(tmp_path):
    (tmp_path / "compare_mlp.jsonl").touch()
    (tmp_path / "rates").mkdir()
    (tmp_path / "rates" / "study.json").touch()
    near = hint_of_path(tmp_path / "compare_mpl.jsonl", "*.jsonl")
    assert near == f"; did you mean {tmp_path}/compare_mlp.jsonl?"
    near = hint_of_path(tmp_path / "rate", "*/study.json")
    assert near == f"; did you mean {tmp_path}/rates?"
    assert not hint_of_path(tmp_path / "banana", "*/study.json")
    assert not hint_of_path(tmp_path / "no" / "where", "*.jsonl")


COURSE = ["none", "none, 10 epochs", ".5/.2", ".5/.2, 10 epochs"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("none, 10 epochs", ["none, 10 epochs"]),
        ("none,10 epochs", ["none, 10 epochs"]),
        ("none,none, 10 epochs", ["none", "none, 10 epochs"]),
        (".5/.2,none", ["none", ".5/.2"]),
    ],
)
def test_names_with_commas_need_no_quotes(given, found):
    assert chosen("arms", given.split(","), COURSE) == found


def test_a_name_that_is_not_there_names_the_closest():
    with pytest.raises(
        UserError, match=r"'non' is none of none, .*; did you mean none"
    ):
        chosen("arms", ["non"], COURSE)


@pytest.mark.parametrize(
    ("module", "target", "package"),
    [
        ("optuna", "setup-search", "optuna"),
        ("ray", "setup-ray", "ray"),
        ("matplotlib.figure", "setup", "matplotlib"),
        ("orbax.checkpoint", "setup", "orbax-checkpoint"),
        ("torch", "setup-bench", "torch"),
        ("sklearn", "setup-dev", "scikit-learn"),
    ],
)
def test_what_is_missing_is_installed_by_a_command_of_here(
    monkeypatch, tmp_path, module, target, package
):
    assert missing.is_required(module)
    (tmp_path / "Makefile").touch()
    monkeypatch.setattr(missing, "ROOT", tmp_path)
    said = str(missing.missing(module, "this"))
    assert f"{sys.executable} -m pip install" in said and f"{package}>=" in (
        said.replace("==", ">=")
    )
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    said = str(missing.missing(module, "this"))
    assert said.endswith(f"installed: make -C {tmp_path} {target}")
    monkeypatch.chdir(tmp_path)
    assert str(missing.missing(module, "this")).endswith(f"installed: make {target}")


def test_every_target_is_one_of_the_makefile():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    for name in ("search", "ray", "bench", "dev"):
        assert f"\nsetup-{name}: " in makefile


def test_the_requirements_are_those_of_the_project():
    names = [text.partition(";")[0] for text in metadata.requires("dropout_jax") or ()]
    assert len(names) > 10


def test_a_package_of_ours_is_one_line_and_another_a_traceback(capsys):
    def need(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    assert guarded(lambda: need("matplotlib.figure")) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: this command needs matplotlib, which is not inst")
    assert error.count("\n") == 1
    with pytest.raises(ModuleNotFoundError):
        guarded(lambda: need("of_a_plugin"))
