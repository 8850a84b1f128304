# SPDX-License-Identifier: Apache-2.0
"""The parts of a run: with what, and where, each stretch of its steps was computed.

A run that is never interrupted has one part. Each start and each resumption adds one to
env.json, unless everything is as in the part before; no part is ever overwritten.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dropout_jax import stored
from dropout_jax.training import fingerprint, portable

MOST = 2**31 - 1  # of images, of classes, of pixels in a row
Part = dict[str, Any]
# Versions on which no number depends.
_NO_NUMBER = ("python", "orbax-checkpoint")


def read(place: object, found: dict[str, Any]) -> list[Part]:
    """Returns the parts of an env.json.

    Raises:
      Damaged: it is not what a run writes.
      OtherVersion: a newer version of the package wrote it.
    """
    stored.check_format(place, found)
    if "parts" not in found:  # of a version that knew one part
        found = {"parts": [_from_first_format(place, found)]}
    parts = stored.expect(place, found, "parts", list)
    for part in parts:
        _check(place, part)
    if not parts:
        raise stored.Damaged(f"{place}: it has no parts")
    return parts


def _from_first_format(place: object, found: dict[str, Any]) -> Part:
    data = stored.expect(place, found, "data", dict)
    prng = stored.expect(place, found, "prng", dict, {})
    inputs = {"data": stored.expect(place, data, "sha256", str)}
    if "partitionable" in prng:
        inputs["jax_threefry_partitionable"] = prng["partitionable"]
    return {**found, "step": 0, "inputs": inputs, "flags": {}}


def _check(place: object, part: Any) -> None:
    for name, kind in (("step", int), ("threads", int), ("versions", dict)):
        stored.expect(place, part, name, kind)
    for name in ("inputs", "flags"):
        stored.expect(place, part, name, dict)
    for name, entry in (("device", "kind"), ("data", "sha256")):
        stored.expect(place, stored.expect(place, part, name, dict), entry, str)
    data_shape(place, part)
    processor = stored.expect(place, part, "processor", dict, {})
    stored.expect(place, processor, "model", str, "")
    stored.expect(place, processor, "vector_extensions", list, [])


class DataShape(NamedTuple):
    """What of its data a model needs to be built."""

    image_shape: tuple[int, ...]
    classes: int
    train_size: int  # number of training images


def data_shape(place: object, part: Any) -> DataShape | None:
    """Returns the shape of a run's data from a part; None if it is not in it.

    Raises:
      Damaged: it is there, and is no shape of images.
    """
    data = part["data"]
    if data.get("image_shape") is None:
        return None
    sizes = stored.expect(place, data, "image_shape", list)
    found = DataShape(
        tuple(sizes),
        stored.expect(place, data, "classes", int),
        stored.expect(place, data, "train_size", int),
    )
    for size in (*sizes, found.classes, found.train_size):
        if type(size) is not int or not 0 < size <= MOST or not 2 <= len(sizes) <= 3:
            raise stored.Damaged(f"{place}: data are of no shape: {found!r:.80}")
    return found


def added(parts: Sequence[Part], part: Part) -> list[Part]:
    """Returns the parts with one more, or as they are where it goes on with the last.

    Args:
      parts: of a run, in order.
      part: the one that begins.
    """
    if parts and parts[-1]["step"] <= part["step"]:
        if {**parts[-1], "step": 0} == {**part, "step": 0}:
            return list(parts)
    return [*parts, part]


def in_effect(parts: Sequence[Part]) -> list[Part]:
    """Returns the parts of which steps are left in the result.

    A run that goes back to an older checkpoint, or to its beginning, computes the steps
    behind it anew: a part that began there or later has left nothing.

    Example:
      >>> [p["step"] for p in in_effect([{"step": 0}, {"step": 90}, {"step": 60}])]
      [0, 60]
    """
    found: list[Part] = []
    for part in parts:
        found = [earlier for earlier in found if earlier["step"] < part["step"]]
        found.append(part)
    return found


def stretches(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Returns the inputs of each stretch of steps that had the same: step and inputs.

    More than one: the result mixes several inputs.
    """
    found: list[dict[str, Any]] = []
    for part in in_effect(parts):
        if not found or fingerprint.differences(found[-1]["inputs"], part["inputs"]):
            found.append({"step": part["step"], "inputs": dict(part["inputs"])})
    return found


def mixture(found: Sequence[Mapping[str, Any]]) -> str:
    """Says what a run mixes, given its `stretches`; "" if it mixes nothing."""
    said = []
    for one, other in itertools.pairwise(found):
        differing = fingerprint.differences(one["inputs"], other["inputs"])
        was, now = fingerprint.described(differing)
        said.append(f"{was} before step {other['step']:,}, {now} from there")
    return f"it mixes {'; '.join(said)}" if said else ""


def summary(part: Part) -> dict[str, Any]:
    """Returns what a line of a ledger says of a part."""
    processor = part.get("processor", {})
    known = {
        "step": part["step"],
        "inputs": part["inputs"],
        "versions": part["versions"],
        "platform": part["device"].get("platform"),
        "device": part["device"]["kind"],
        "devices": part.get("devices"),
        "threads": part["threads"],
        "workers": part.get("workers"),
        "lanes": part.get("lanes"),
        "processor": processor.get("model"),
        "vector_extensions": processor.get("vector_extensions"),
        "flags": part["flags"],
        "code": _code(part.get("git")),
    }
    return {name: value for name, value in known.items() if value is not None}


def _code(git: Any) -> str | None:
    """Returns the commit, and what was changed since then, in a few digits."""
    if not isinstance(git, dict) or not git.get("commit"):
        return None
    changes = git.get("difference_sha256")
    made = f" with changes {changes!s:.8}" if changes else ""
    return f"{git['commit']!s:.12}{made}"


def circumstances(found: Mapping[str, Any]) -> dict[str, str]:
    """Returns what changes rounding, from a `summary`: name and value, as text."""
    versions = found.get("versions", {}).items()
    said = {name: str(value) for name, value in versions if name not in _NO_NUMBER}
    for name in ("device", "devices", "threads", "processor", "code"):
        if name in found:
            said[name] = str(found[name])
    if found.get("platform", "cpu") != "cpu":
        said.pop("threads", None)
        if "lanes" in found:
            said["lanes"] = str(found["lanes"])
    if "vector_extensions" in found:
        said["vector extensions"] = " ".join(map(str, found["vector_extensions"]))
    if _portable(found):
        said.pop("processor", None)
        said.pop("vector extensions", None)
    return {**said, **{name: str(v) for name, v in found.get("flags", {}).items()}}


def _portable(found: Mapping[str, Any]) -> bool:
    """Whether another processor of the same kind changes no bit (`portable`)."""
    flags = found.get("flags", {}).get("XLA_FLAGS", "")
    on_one_thread = found.get("threads") == 1 and found.get("platform") == "cpu"
    return on_one_thread and flags == portable.NAME


def changed(one: Part, other: Part) -> str:
    """Says what may change rounding from a part to the next; "" if nothing does.

    Example:
      >>> part = {"step": 0, "inputs": {}, "versions": {}, "flags": {}, "threads": 1}
      >>> part["device"] = {"kind": "cpu"}
      >>> changed(part, {**part, "threads": 2})
      'threads 1, now 2'
    """
    was, now = circumstances(summary(one)), circumstances(summary(other))
    return "; ".join(
        f"{name} {was[name] or 'none'}, now {now[name] or 'none'}"
        for name in was
        if name in now and was[name] != now[name]
    )


def of_line(place: object, line: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the `summary` of each part that a line of a ledger names.

    Older lines name one, and of its inputs the data alone.

    Raises:
      Damaged: it is not what a finished trial writes.
    """
    found = stored.expect(place, line, "parts", list, None)
    if found is None:
        return [_from_first_line(place, line)]
    for part in found:
        for name, kind in (("step", int), ("inputs", dict), ("versions", dict)):
            stored.expect(place, part, name, kind)
        stored.expect(place, part, "flags", dict, {})
        stored.expect(place, part, "vector_extensions", list, [])
    if not found:
        raise stored.Damaged(f"{place}: it has no parts")
    return found


def _from_first_line(place: object, line: Mapping[str, Any]) -> dict[str, Any]:
    data = stored.expect(place, line, "data_sha256", str, "")
    device, _, threads = stored.expect(place, line, "device", str, "").rpartition(", ")
    part = {
        "step": 0,
        "inputs": {fingerprint.DATA: data} if data else {},
        "versions": stored.expect(place, line, "versions", dict, {}),
    }
    if threads.endswith(" threads"):
        part |= {"device": device, "threads": threads.removesuffix(" threads")}
    return part
