# SPDX-License-Identifier: Apache-2.0
"""Run, study and data written by someone who means harm."""

import os
import re
import shutil
from pathlib import Path

import pytest

import hostile
from dropout_jax import training
from dropout_jax.config import UserError
from dropout_jax.data import load
from dropout_jax.sweeps.__main__ import main
from dropout_jax.training import load_run

SURPRISE = re.compile(r"\x1b|\b(?!User)[A-Z]\w+Error\b")
COMMANDS = ("status", "report", "resume")


def everything(place, without):
    """What is in a directory, and who may do what with it, but for one in it."""
    return {
        path: (
            os.readlink(path)
            if path.is_symlink()
            else path.is_file() and path.read_bytes(),
            path.lstat().st_mode,
        )
        for path in place.rglob("*")
        if without not in (path, *path.parents)
    }


def harmed(place, original, harm, use):
    """Returns what is wrong when a harmed copy of a directory is used.

    The copy lies deep enough in `place` that ways out of it end there.
    """
    copy, out = place / "a" / "b" / "copy", place / "a" / "b" / "out"
    shutil.copytree(original, copy)
    (out / "kept").mkdir(parents=True)
    (out / "kept.jsonl").touch()
    harm(copy, out)
    before = everything(place, copy)
    wrong = use(copy)
    if (after := everything(place, copy)) != before:
        wrong.append(f"wrote {set(after.items()) ^ set(before.items())}")
    shutil.rmtree(place)
    return wrong


def complaints_of_a_run(config):
    """Returns a function of a run directory to what is wrong with its answers."""

    def use(run):
        wrong = []
        for use in (load_run, lambda run: training.run(config, run)):
            try:
                use(run)
            except UserError as error:
                wrong += [str(error)] * ("\n" in str(error))
            (run / "status").unlink(missing_ok=True)  # so that it is resumed
        return wrong

    return use


def complaints_of_a_study(capfd):
    """The same of a study; its workers are processes, so their output counts too."""

    def use(study):
        wrong = []
        for command in COMMANDS:
            flags = [f"--study={study}"] + ["--workers=1"] * (command == "resume")
            code = main(["sweeps", command, *flags])
            out, err = capfd.readouterr()
            one_line = code == 1 or err.count("\n") == (code == 2)
            surprised = SURPRISE.search(out + err)  # as a trial that failed
            if code not in (0, 1, 2) or not one_line or surprised:
                wrong.append(f"{command}: {code} {out} {err}")
        return wrong

    return use


@pytest.mark.filterwarnings("ignore:checkpoint .* is passed over")
def test_hostile_files(tmp_path, whole, capfd, figure):
    (trial, *_), passwords = whole.trials(), Path("/etc/passwd").read_bytes()
    mark, plugin = tmp_path / "code_ran", tmp_path / "hostile_plugin.py"
    plugin.write_text(f"open({str(mark)!r}, 'w')")
    wrong = {}
    for original, use, cases in (
        (
            whole.run_directory(trial),
            complaints_of_a_run(trial.config),
            hostile.run_cases(plugin),
        ),
        (whole.path, complaints_of_a_study(capfd), hostile.study_cases(plugin)),
    ):
        for name, harm in cases.items():
            wrong[name] = harmed(tmp_path / "place", original, harm, use)
    for name, content in hostile.data_cases(str(mark)).items():
        path = tmp_path / "data.npz"
        hostile.put(path, content)
        with pytest.raises(UserError) as error:
            load(str(path))
        wrong[name] = [str(error.value)] * ("\n" in str(error.value))
    found = {name: what for name, what in wrong.items() if what}
    figure(
        13,
        "hostile files: a run's, a study's, a data set's (pickles, plugins, paths, "
        "links, giant headers, deep JSON, forged manifests, names that are markup)",
        "at least 40 cases: no code runs, nothing is written outside, one line",
        f"{len(wrong) - len(found)}/{len(wrong)}; "
        f"code ran: {'yes' if mark.exists() else 'no'}",
    )
    assert not found and not mark.exists()
    assert Path("/etc/passwd").read_bytes() == passwords
    assert len(wrong) >= 40


def test_the_watch_over_what_is_outside_sees(tmp_path, whole):
    """What a case could do there is noticed: it is not the watch that is blind."""

    def create(copy):
        (copy.parents[1] / "new").touch()

    def append(copy):
        (copy.parent / "out" / "kept.jsonl").write_text("x")

    def remove(copy):
        (copy.parent / "out" / "kept").rmdir()

    for number, harm in enumerate((create, append, remove)):
        wrong = harmed(
            tmp_path / str(number),
            whole.path,
            lambda copy, out: None,
            lambda copy, h=harm: h(copy) or [],
        )
        assert len(wrong) == 1
