# SPDX-License-Identifier: Apache-2.0
"""What someone who means harm may do to a run, to a study, to a data set.

A case is a function of the directory and of `out`, a directory beside it that holds
other people's files: `kept.jsonl`, empty, and `kept/`.
"""

import functools
import gzip
import io
import json
import os
import pickle
import shutil
import struct
import zipfile

import numpy as np

from dropout_jax import stored
from dropout_jax.sweeps import plan_file
from dropout_jax.training.outcome import metrics_sha256
from dropout_jax.training.run_directory import RunDirectory

DEEP = "[" * 100_000
NESTED = '{"a":' * 900 + "1" + "}" * 900
BOMB = json.dumps({"x": "9" * 5_000_000})
CONTENTS = (
    "",
    "[1]",
    "3",
    "null",
    '"text"',
    "\0",
    "{",
    DEEP,
    "text".encode("utf-16"),
    r'{"half": "\ud800"}',
    NESTED,
    BOMB,
)
LANES = (
    {"group": "../../../etc", "lane": 0, "lanes": 1},
    {"group": "/etc", "lane": 0, "lanes": 1},
    {"group": "../out", "lane": 0, "lanes": 1},
    {"group": ".", "lane": -1, "lanes": 1},
    {"group": ".", "lane": 10**9, "lanes": 10**10},
    {"group": 3, "lane": 0, "lanes": 1},
    {"group": ".", "lane": "0", "lanes": True},
)
HOSTS = ({}, {"seconds": "x", "lanes": []}, {"seconds": 1, "lanes": [1]}, [1], None)
LEDGERS = (
    "/etc/passwd",
    "../../.bashrc",
    "../out/here.txt",
    "../out/here.jsonl",
    "../out/deep/here.jsonl",
    "ledger/../../out/here.jsonl",
)
ARMS = (
    "[/x]",
    "[link=file:///]a",
    "\x1b]0;taken\x07\x1b[2J",
    "two\nlines",
    " ",
    "a" * 999,
)
ENDS = (
    ("result.json", {"test": None}),
    ("result.json", {"validation": {"accuracy": "1"}}),
    ("result.json", {"seconds": "long"}),
    ("result.json", {"status": "diverged"}),
    ("result.json", {"status": "diverged", "reason": "\x1b[2J\nand more"}),
    ("result.json", {"reliability": {"count": 3}}),
    ("result.json", {"parameters_sha256": "0" * 64}),
    ("env.json", {"parts": 3, "format": 2}),
    ("env.json", {"parts": [{"step": 0, "versions": 3, "device": "here"}]}),
    ("env.json", {"parts": [{"step": 0, "data": {"sha256": None}}]}),
    ("env.json", {"format": 10**9}),
    ("metrics.jsonl", {"noise": 3}),
    ("metrics.jsonl", {"train_loss": "x", "epoch": []}),
)
REPORTING = (
    {"notes": 5},
    {"notes": [5]},
    {"title": 5},
    {"title": "[/x]"},
    {"baseline": [1]},
    {"baseline": "\x1b[2J"},
    {"command": ["a"]},
    {"published": [1]},
    {"published": {"a": "\x1b[2J"}},
    {"notes": ["\x1b[2J"]},
    {"search_budget": {"a": "x"}},
    {"directory": "../out"},
    {"arms": ["b"]},
)


class Mark:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def put(path, content):
    """Writes text or bytes."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def changed(path, **entries):
    """Changes entries of a JSON file."""
    put(path, json.dumps(json.loads(path.read_text()) | entries))


def linked(directory, out, name):
    """Puts a link in the place of a file or of a directory."""
    place = directory / name
    is_file = place.is_file() or "." in name[1:]
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(out / ("kept.jsonl" if is_file else "kept"))


def forged(run, out, **entries):
    """Changes manifests, whose own checksum stays right."""
    for path in run.glob("checkpoints/*/MANIFEST.json"):
        content = stored.read_sealed(path) | entries
        put(path, stored.sealed(content))


def _manifests(run, out, content):
    for path in run.glob("checkpoints/*/MANIFEST.json"):
        put(path, content)


def _steps_elsewhere(run, out):
    for path in list(run.glob("checkpoints/*")):
        shutil.move(path, out / path.name)
        path.symlink_to(out / path.name)


def run_cases(plugin):
    """What is done to a run directory, by name; `plugin` is a Python file."""
    cases = {}
    for name in ("config.json", "lane.json", "result.json", "env.json"):
        for number, content in enumerate(CONTENTS):
            cases[f"{name} {number}"] = lambda run, out, n=name, c=content: put(
                run / n, c
            )
    for number, content in enumerate(CONTENTS):
        cases[f"manifest {number}"] = functools.partial(_manifests, content=content)
    for number, lane in enumerate(LANES):
        cases[f"lane {number}"] = lambda run, out, v=lane: put(
            run / "lane.json", json.dumps(v)
        )
    for name in ("checkpoints", "tensorboard", "metrics.jsonl", "status.", ".lock"):
        cases[f"link {name}"] = functools.partial(linked, name=name.rstrip("."))
    for name in ("config.json", "result.json", "metrics.jsonl"):
        cases[f"pipe {name}"] = functools.partial(_piped, name=name)
    cases["checkpoint is a link"] = _steps_elsewhere
    for number, host in enumerate(HOSTS):
        cases[f"forged host {number}"] = functools.partial(forged, host=host)
    cases["forged files"] = functools.partial(forged, files={"../../x": "0"})
    cases["forged arrays"] = functools.partial(forged, arrays=[])
    cases["plugin"] = lambda run, out: changed(run / "config.json", plugin=str(plugin))
    return cases


def _lines(study):
    return [
        json.loads(line) for line in (study / "plan.jsonl").read_text().split("\n")[:-1]
    ]


def _planned(study, lines):
    """Writes a plan, and its seal into study.json."""
    put(study / "plan.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    seal = plan_file._seal((study / "plan.jsonl").read_bytes().splitlines())
    changed(study / "study.json", plan=seal)


def _every_line(study, out, **entries):
    _planned(study, [line | entries for line in _lines(study)])


def _lacks_fields(study, out):
    first, second = _lines(study)
    _planned(study, [first, second | {"config": {"seed": 1}}])


def _settings(study, out):
    """Trials of one arm that differ in what a terminal would take for an order."""
    first, second = _lines(study)
    for number, line in enumerate((first, second)):
        line["config"]["data"]["source_dir"] = f"\x1b[{number}J"
    _planned(study, [first, second])


def _piped(directory, out, name):
    (directory / name).unlink(missing_ok=True)
    os.mkfifo(directory / name)


def _plugin(study, out, plugin):
    lines = _lines(study)
    for line in lines:
        line["config"]["plugin"] = str(plugin)
    _planned(study, lines)
    put(study / "ledger.jsonl", "")  # so that there is something to run


def _files_of_trials(study, out, room):
    """Links to files, by the names that a study gives its own."""
    put(study / "ledger.jsonl", "")
    (study / room).mkdir(exist_ok=True)
    for line in _lines(study):
        place = study / room / line["trial"]
        place.unlink(missing_ok=True)
        place.symlink_to(out / "kept.jsonl")
    for path in study.glob("trials/*/checkpoints/*/MANIFEST.json"):
        put(path, "")  # so that each trial fails
    for path in study.glob("trials/*/status"):
        path.unlink()


def _ended(study, out, name, **entries):
    """A finished run whose files say something else, and is not in the ledger yet."""
    put(study / "ledger.jsonl", "")
    for run in study.glob("trials/*"):
        if "status" in entries:
            put(run / "status", entries["status"] + "\n")
        if name == "metrics.jsonl":  # and the result bears them out
            records = [r | entries for r in RunDirectory(run).metrics()]
            put(run / name, "".join(json.dumps(record) + "\n" for record in records))
            changed(run / "result.json", metrics_sha256=metrics_sha256(records))
        else:
            changed(run / name, **entries)


def _directory_for_a_file(study, out):
    (study / "failures" / ("0" * 64)).mkdir(parents=True)


def _bell(study, out):
    """Text for the terminal of whoever looks."""
    bell = {"reason": "\x1b]0;taken\x07"}
    (study / "failures").mkdir(exist_ok=True)
    put(study / "ledger.jsonl", "")
    for line in _lines(study):
        lines = (json.dumps(bell) + "\n") * 3
        put(study / "failures" / line["trial"], lines)


def study_cases(plugin):
    """What is done to the directory of a study, by name."""
    cases = {}
    for name in (
        "study.json",
        "search.json",
        "rungs.json",
        "plan.jsonl",
        "ledger.jsonl",
    ):
        for number, content in enumerate(CONTENTS):
            cases[f"{name} {number}"] = lambda study, out, n=name, c=content: put(
                study / n, (c.encode() if isinstance(c, str) else c) + b"\n"
            )
    for ledger in LEDGERS:
        cases[f"ledger {ledger}"] = lambda study, out, v=ledger: changed(
            study / "study.json", ledger=v
        )
    cases["ledger anywhere"] = lambda study, out: changed(
        study / "study.json", ledger=str(out / "here.jsonl")
    )
    for name in ("trials", "groups", "claims", "failures", "workers", "ledger.jsonl"):
        cases[f"link {name}"] = functools.partial(linked, name=name)
    for room in ("claims", "failures", "workers"):
        cases[f"links in {room}"] = functools.partial(_files_of_trials, room=room)
    for number, (name, entries) in enumerate(ENDS):
        cases[f"end {number}"] = functools.partial(_ended, name=name, **entries)
    for name in ("study.json", "plan.jsonl", "ledger.jsonl"):
        cases[f"pipe {name}"] = functools.partial(_piped, name=name)
    cases["settings"] = _settings
    cases["directory for a file"] = _directory_for_a_file
    cases["bells"] = _bell
    for number, arm in enumerate(ARMS):
        cases[f"arm {number}"] = functools.partial(_every_line, arm=arm)
        cases[f"name {number}"] = lambda study, out, v=arm: changed(
            study / "study.json", name=v
        )
    for number, told in enumerate(REPORTING):
        cases[f"reporting {number}"] = lambda study, out, v=told: changed(
            study / "study.json", reporting=v
        )
    cases["id of a trial is a path"] = functools.partial(
        _every_line, trial="../../out/x"
    )
    cases["trials lack fields"] = _lacks_fields
    cases["plugin of a plan"] = functools.partial(_plugin, plugin=plugin)
    return cases


def data_cases(mark):
    """Files of data, by name."""
    pickled = io.BytesIO()
    np.savez(pickled, train_images=np.array([Mark(mark)], dtype=object))
    header = b"\x93NUMPY\x01\x00"
    giant = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000, 28, 28)}"
    giant = header + struct.pack("<H", len(giant)) + giant.encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../../train_images.npy", giant)
        file.writestr("train_images.npy", giant)
    return {
        "pickled array": pickled.getvalue(),
        "giant header": archive.getvalue(),
        "pickle": pickle.dumps(Mark(mark)),
        "no archive": b"PK\x03\x04",
        "gzip": gzip.compress(b"x" * 100),
        "empty": b"",
    }
