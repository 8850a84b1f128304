# SPDX-License-Identifier: Apache-2.0
"""The parts of a run: added to, in effect, mixed; and how inputs are compared."""

import pytest

from dropout_jax.stored import Damaged
from dropout_jax.training import fingerprint, parts


def part(step, data="aa", **changed):
    return {
        "step": step,
        "inputs": {"data": data, "jax_enable_x64": False},
        "versions": {"jax": "0.10.2"},
        "device": {"kind": "cpu", "platform": "cpu"},
        "data": {"sha256": data},
        "threads": 1,
        "flags": {},
        **changed,
    }


def test_a_part_is_added_unless_it_goes_on_with_the_last():
    first = part(0)
    assert parts.added([], first) == [first]
    assert parts.added([first], part(50)) == [first]
    assert parts.added([first], part(50, threads=2)) == [first, part(50, threads=2)]
    # Back to an older checkpoint: what began behind it begins again.
    two = [first, part(80, "bb")]
    assert parts.added(two, part(60, "bb")) == [*two, part(60, "bb")]


def test_only_parts_of_which_steps_are_left_count():
    assert parts.in_effect([part(0), part(0, "bb")]) == [part(0, "bb")]
    known = [part(0), part(90, "bb"), part(60, "cc")]
    assert parts.in_effect(known) == [part(0), part(60, "cc")]
    stretches = parts.stretches(known)
    assert [(s["step"], s["inputs"]["data"]) for s in stretches] == [
        (0, "aa"),
        (60, "cc"),
    ]
    assert "data aa... before step 60, data cc... from there" in parts.mixture(
        stretches
    )
    same = parts.stretches([part(0), part(60, threads=2)])
    assert len(same) == 1 and parts.mixture(same) == ""


def test_what_changes_rounding_is_named():
    now = part(9, threads=2, processor={"model": "X", "vector_extensions": ["avx2"]})
    assert parts.changed(part(0), now) == "threads 1, now 2"  # X: not known before
    other = part(9, threads=2, processor={"model": "X", "vector_extensions": []})
    assert parts.changed(now, other) == "vector extensions avx2, now none"
    gpu = {"kind": "H200", "platform": "gpu"}
    assert parts.changed(part(0, device=gpu), part(9, device=gpu, threads=8)) == ""


def test_the_first_format_is_read():
    old = {
        "versions": {"jax": "0.10.2"},
        "prng": {"implementation": "threefry2x32", "partitionable": True},
        "device": {"platform": "cpu", "kind": "cpu", "count": 1},
        "threads": 1,
        "xla_flags": "",
        "data": {"name": "a", "source": "a", "sha256": "aa"},
    }
    (found,) = parts.read("env.json", old)
    assert found["inputs"] == {"data": "aa", "jax_threefry_partitionable": True}
    assert parts.changed(found, part(3)) == ""
    for damaged in ({**old, "threads": "1"}, {"format": 2, "parts": []}):
        with pytest.raises(Damaged):
            parts.read("env.json", damaged)


def test_a_published_line_names_its_data_and_its_threads():
    line = {"data_sha256": "aa", "device": "cpu, 1 threads", "versions": {"jax": "1"}}
    (found,) = parts.of_line("here", line)
    assert found["inputs"] == {"data": "aa"}
    assert parts.circumstances(found) == {"jax": "1", "device": "cpu", "threads": "1"}
    new = {"parts": [parts.summary(part(0, threads=2))]}
    (found,) = parts.of_line("here", new)
    assert parts.circumstances(found)["threads"] == "2"
    with pytest.raises(Damaged):
        parts.of_line("here", {"parts": [{"step": 0}]})


def test_what_is_not_known_is_compatible():
    old, new = {"data": "aa"}, {"data": "aa", "plugin": "bb", "jax_enable_x64": False}
    assert fingerprint.differences(old, new) == fingerprint.differences(new, old) == {}
    assert fingerprint.conflicts([old, new, {"plugin": "cc"}]) == {
        "plugin": ["bb", "cc"]
    }
    # Two data sets by configuration are no conflict.
    scoped = [fingerprint.scoped({"data": sha}, name, "") for sha, name in ("aA", "bB")]
    assert fingerprint.conflicts(scoped) == {}


def test_the_cure_names_the_variable(monkeypatch):
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    differing = {
        "jax_enable_x64": (False, True),
        "jax_default_matmul_precision": (None, "highest"),
    }
    assert fingerprint.cure(differing) == (
        "set JAX_ENABLE_X64=False and unset JAX_DEFAULT_MATMUL_PRECISION ('highest')"
    )
