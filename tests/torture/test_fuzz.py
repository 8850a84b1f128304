# SPDX-License-Identifier: Apache-2.0
"""Ten thousand inputs to each reader: the value or one line, and no other exception."""

import copy
import functools
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import studies
from dropout_jax import reports, stored
from dropout_jax.config import UserError, canonical, defaults, from_json, validate
from dropout_jax.config.schema import FIELDS
from dropout_jax.sweeps import Ledger, StudyDirectory, open_study, plan_file, status
from dropout_jax.training import checkpoints, sets
from dropout_jax.training import lane as lanes
from dropout_jax.training.prepare import prepare
from dropout_jax.training.progress import describe_result
from dropout_jax.training.run_directory import RunDirectory

READERS = {
    "configuration": "14a",
    "manifest": "14b",
    "plan": "14c",
    "ledger": "14d",
    "metrics": "14e",
    "study.json": "14f",
    "result.json": "14g",
}
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([10**400, -1, 2**63, "..", "/", "\ud800", "nan"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(value, at=()):
    """Every place in a JSON value."""
    yield at
    entries = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value[:3])
    for name, inner in entries:
        yield from places(inner, (*at, name))


def replaced(value, at, new):
    """A copy with another value at a place; None: the entry is gone."""
    if not at:
        return new
    value = copy.deepcopy(value)
    *way, last = at
    inner = functools.reduce(lambda v, name: v[name], way, value)
    if new is None and isinstance(inner, dict):
        del inner[last]
    else:
        inner[last] = new
    return value


def texts(value):
    """What may stand in the place of a JSON text: other values, other bytes."""
    text = json.dumps(value).encode()
    known = list(places(value))
    return st.one_of(
        st.builds(
            lambda at, new: _dumped(replaced(value, at, new)),
            st.sampled_from(known),
            VALUES,
        ),
        st.builds(
            lambda at, byte: text[:at] + bytes([byte]) + text[at + 1 :],
            st.integers(0, len(text) - 1),
            st.integers(0, 255),
        ),
        st.builds(lambda at: text[:at], st.integers(0, len(text))),
        st.binary(max_size=60),
    )


def _dumped(value):
    return json.dumps(value).encode()


def readers(whole, tmp_path):
    """By name: a valid value, and what reads and uses the bytes in its place."""
    shutil.copytree(whole.path, tmp_path / "study")
    console = studies.console()
    whole = StudyDirectory(tmp_path / "study")
    trial, *_ = whole.trials()
    run = RunDirectory(whole.run_directory(trial))
    (*_, step) = sorted(run.checkpoints.iterdir())
    line = whole.ledger.lines()[0]
    first, second = (whole.path / "plan.jsonl").read_bytes().splitlines()
    shapes = checkpoints.shapes(prepare(trial.config).abstract, 1)
    checkpoints.quiet()

    def configuration(content):
        validate(from_json(stored.parse(content, "config.json")))

    def manifest(content):
        try:  # with the right checksum, so that what it says is looked at
            found = json.loads(content)
            found.pop(stored.SEAL, None)
            content = stored.sealed(found).encode()
        except (AttributeError, TypeError, ValueError):
            pass
        (step / checkpoints.MANIFEST).write_bytes(content)
        tree, host = checkpoints._restore(step, shapes)
        stored.expect(step, host, "seconds", int | float)
        for lane, models in zip(host["lanes"], tree["models"], strict=True):
            lanes._checked(step, lane)
            sets.restored(step, lane["sets"], models)

    def plan(content):
        # Beside it a line as it was: of one arm, they are compared.
        content = content + b"\n" + second + b"\n"
        (whole.path / "plan.jsonl").write_bytes(content)
        about = json.loads((whole.path / "study.json").read_text())
        about["plan"] = plan_file._seal(stored.whole_lines(content))
        (whole.path / "study.json").write_text(json.dumps(about))
        show(open_study(whole.path))

    def about(content):
        (whole.path / "study.json").write_bytes(content)
        show(open_study(whole.path))

    def show(study):
        status.show_status(study, console)
        [one.config for one in study.trials()]

    def ledger(content):
        path = tmp_path / "ledger.jsonl"
        path.write_bytes(content + b"\n")
        for found in Ledger(path).by_trial().values():
            describe_result(found["result"])
        study = reports.load_study(path)
        reports.tabulate(study, baseline=study.trials[0].arm)

    def metrics(content):
        directory = RunDirectory(tmp_path)
        (tmp_path / "metrics.jsonl").write_bytes(content + b"\n")
        for record in directory.metrics():
            [record[name] for name in ("epoch", "step", "validation_loss")]

    def result(content):
        (tmp_path / "result.json").write_bytes(content)
        describe_result(RunDirectory(tmp_path).result())

    return {
        "configuration": (canonical(defaults()), configuration),
        "manifest": (
            json.loads((step / checkpoints.MANIFEST).read_text()),
            manifest,
        ),
        "plan": (json.loads(first), plan),
        "ledger": (line, ledger),
        "metrics": (run.metrics()[0], metrics),
        "study.json": (json.loads((whole.path / "study.json").read_text()), about),
        "result.json": (run.result(), result),
    }


@pytest.mark.parametrize("name", READERS)
def test_a_reader(name, whole, tmp_path, amount, figure):
    value, read = readers(whole, tmp_path)[name]
    examples, seen = amount(200, 10_000), {"refused": 0, "read": 0}

    @seed(0)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(texts(value))
    def fuzz(content):
        try:
            read(content)
        except UserError as error:
            assert "\n" not in str(error)
            seen["refused"] += 1
        else:
            seen["read"] += 1

    fuzz()
    assert sum(seen.values()) >= examples and len(FIELDS) > 40
    assert seen["read"] and seen["refused"]
    figure(
        READERS[name],
        f"{name}: random values in every place, flipped bytes, cuts",
        "0 uncaught exceptions in 10,000",
        f"0 in {sum(seen.values()):,} ({seen['refused']:,} refused in one line)",
    )
