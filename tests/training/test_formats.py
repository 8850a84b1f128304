# SPDX-License-Identifier: Apache-2.0
"""The format of files: older ones are read, newer ones are refused in one line."""

import json
import shutil

import pytest

from dropout_jax import stored, training
from dropout_jax.config import UserError
from dropout_jax.training import load_run, outcome
from dropout_jax.training.progress import describe_result
from dropout_jax.training.run_directory import RunDirectory

NEWER = stored.FORMAT + 1
FILES = ("result.json", "metrics.jsonl", "env.json")


def content(directory):
    return {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of a finished run, to be changed."""
    shutil.copytree(finished.workdir, tmp_path / "run")
    return tmp_path / "run"


def changed(path, change):
    """Applies a function to each JSON object of a file."""
    text = path.read_text()
    lines = text.splitlines() if path.suffix == ".jsonl" else [text]
    objects = [json.loads(line) for line in lines]
    for found in objects:
        change(found)
    path.write_text("".join(json.dumps(found) + "\n" for found in objects))


def test_every_file_of_a_run_has_the_format(finished):
    for name in FILES:
        text = (finished.workdir / name).read_text()
        lines = text.splitlines() if name == "metrics.jsonl" else [text]
        assert [json.loads(line)["format"] for line in lines] == [2] * len(lines), name


@pytest.mark.parametrize("name", FILES)
def test_a_newer_file_is_refused_in_one_line_and_left_as_it_is(
    copy, tiny, recorder, name
):
    changed(copy / name, lambda found: found.update(format=NEWER, unheard_of=[1]))
    before = content(copy)
    with pytest.raises(UserError, match=r"a newer version .*; update") as error:
        training.run(tiny(), copy, progress=recorder())
    told = str(error.value)
    assert name in told and f"format is {NEWER}" in told and "\n" not in told
    assert content(copy) == before


@pytest.mark.parametrize("number", [0, -1, "2", 2.5, True])
def test_a_format_that_is_no_number_of_one_is_damage(copy, number):
    changed(copy / "result.json", lambda found: found.update(format=number))
    with pytest.raises(stored.Damaged, match="format is"):
        RunDirectory(copy).result()


def first_format(found):
    """What the version before this one would have written."""
    for name in ("format", "sets", "sites"):
        found.pop(name, None)
    if "parts" in found:  # of env.json, which knew one
        found |= found.pop("parts")[0]
        partitionable = found.pop("inputs")["jax_threefry_partitionable"]
        prng = {"implementation": found["prng"], "partitionable": partitionable}
        found |= {"prng": prng, "xla_flags": found.pop("flags")["XLA_FLAGS"]}
        for name in ("step", "devices", "processor", "workers", "lanes", "plugin"):
            del found[name]
        for name in ("image_shape", "classes", "train_size"):
            del found["data"][name]


def test_a_finished_run_of_the_first_format_is_finished(copy, finished, tiny, recorder):
    for name in FILES:
        changed(copy / name, first_format)
    before = content(copy)
    again = training.run(tiny(), copy, progress=recorder())
    assert not again.fresh and again.values["test"] == finished.values["test"]
    assert content(copy) == before


def test_the_format_is_no_part_of_the_digest_of_the_metrics(finished):
    records = RunDirectory(finished.workdir).metrics()
    assert {record["format"] for record in records} == {2}
    older = [{k: v for k, v in r.items() if k != "format"} for r in records]
    digest = outcome.metrics_sha256(older)
    assert digest == outcome.metrics_sha256(records)
    assert digest == finished.values["metrics_sha256"]


@pytest.mark.parametrize("version", [1, NEWER])
def test_checkpoints_of_another_version_are_said_to_be_that(
    copy, tiny, recorder, version
):
    """Not damaged: nobody is told to remove them."""
    for path in copy.glob("checkpoints/*/MANIFEST.json"):
        manifest = stored.read_sealed(path)
        assert manifest["format"] == 2
        path.write_text(stored.sealed({**manifest, "format": version}))
    (copy / "status").write_text("running\n")
    before = content(copy)
    age = "an older" if version == 1 else "a newer"
    uses = (
        lambda: training.run(tiny(), copy, progress=recorder()),
        lambda: load_run(copy),
    )
    for use in uses:
        with pytest.raises(stored.OtherVersion, match=f"{age} version") as error:
            use()
        assert "remove" not in str(error.value) and "\n" not in str(error.value)
    kept = {path: text for path, text in before.items() if "checkpoints" in str(path)}
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_metric_that_the_file_lacks_is_absent(copy, finished):
    """As one that is newer than the file."""

    def drop(found):
        for summary in (found["test"], found["sets"]["last"]["validation"]):
            del summary["ece"], summary["brier"]

    changed(copy / "result.json", drop)
    found = RunDirectory(copy).result()
    assert set(found["test"]) == {"accuracy", "nll"}
    assert "ECE" not in describe_result(found)
    assert "ECE" in describe_result(finished.values)
    changed(copy / "result.json", lambda found: found["test"].update(new=0.5))
    assert RunDirectory(copy).result()["test"]["new"] == 0.5
    changed(copy / "result.json", lambda found: found["test"].pop("nll"))
    with pytest.raises(stored.Damaged, match="test: nll is None"):
        RunDirectory(copy).result()


def test_a_curve_that_the_file_lacks_is_absent(copy):
    changed(copy / "metrics.jsonl", lambda found: found.pop("clean_train_accuracy"))
    assert len(RunDirectory(copy).metrics()) == 2
    changed(copy / "metrics.jsonl", lambda found: found.pop("validation_loss"))
    with pytest.raises(stored.Damaged, match="validation_loss is None"):
        RunDirectory(copy).metrics()


@pytest.mark.parametrize(
    "harm",
    [
        {"sets": [1]},
        {"sets": {"last": 3}},
        {"sets": {"last": {"epoch": "1", "validation": {}}}},
        {"sets": {"last": {"epoch": 1, "validation": {"accuracy": 0.5}}}},
        {"sites": "input"},
        {"sites": ["\x1b[2J"]},
    ],
)
def test_sets_and_sites_of_another_shape_are_damage(copy, harm):
    changed(copy / "result.json", lambda found: found.update(harm))
    with pytest.raises(stored.Damaged):
        RunDirectory(copy).result()
