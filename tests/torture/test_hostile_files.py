# SPDX-License-Identifier: Apache-2.0
"""Run, study and data written by someone who means harm."""

import gzip
import io
import json
import pickle
import shutil
import struct
import zipfile

import numpy as np
import pytest

from dropout_jax import training
from dropout_jax.config import UserError
from dropout_jax.data import load
from dropout_jax.sweeps.__main__ import main
from dropout_jax.training import load_run

SCRIPT = "<script>document.title='taken'</script>"
DEEP = "[" * 100_000
NESTED = '{"a":' * 900 + "1" + "}" * 900
BOMB = json.dumps({"x": "9" * 5_000_000})
NOT_OBJECTS = (
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
)


class Mark:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def put(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def changed(path, **entries):
    """Changes entries of a JSON file."""
    put(path, json.dumps(json.loads(path.read_text()) | entries))


def everything(directory):
    return {
        p: (p.read_bytes() if p.is_file() else None)
        for p in directory.rglob("*")
        if not p.is_symlink()
    }


def run_cases():
    """What is done to a run directory, by name; `out` is a directory beside it."""
    cases = {}
    for name in ("config.json", "lane.json", "result.json"):
        for number, content in enumerate((*NOT_OBJECTS, NESTED)):
            cases[f"{name} {number}"] = lambda run, out, n=name, c=content: put(
                run / n, c
            )
    for number, lane in enumerate(
        (
            {"group": "../../../etc", "lane": 0, "lanes": 1},
            {"group": "/etc", "lane": 0, "lanes": 1},
            {"group": ".", "lane": -1, "lanes": 1},
            {"group": ".", "lane": 10**9, "lanes": 10**10},
            {"group": 3, "lane": 0, "lanes": 1},
            {"group": ".", "lane": "0", "lanes": True},
        )
    ):
        cases[f"lane {number}"] = lambda run, out, v=lane: put(
            run / "lane.json", json.dumps(v)
        )
    for name in ("checkpoints", "metrics.jsonl", "tensorboard", "status", ".lock"):

        def link(run, out, n=name):
            place = run / n
            if place.is_dir():
                shutil.rmtree(place)
            place.unlink(missing_ok=True)
            place.symlink_to(out)

        cases[f"link {name}"] = link
    for number, content in enumerate(NOT_OBJECTS):

        def manifest(run, out, c=content):
            for path in run.glob("checkpoints/*/MANIFEST.json"):
                put(path, c)

        cases[f"manifest {number}"] = manifest

    def linked_step(run, out):
        for path in list(run.glob("checkpoints/*")):
            shutil.move(path, out / path.name)
            path.symlink_to(out / path.name)

    cases["checkpoint is a link"] = linked_step

    def forged(run, out, **entries):
        """A manifest whose own checksum is right."""
        from dropout_jax import stored

        for path in run.glob("checkpoints/*/MANIFEST.json"):
            content = stored.read_sealed(path) | entries
            put(path, stored.sealed(content))

    for number, host in enumerate(
        ({}, {"seconds": "x", "lanes": []}, {"seconds": 1, "lanes": [1]}, [1], None)
    ):
        cases[f"forged host {number}"] = lambda run, out, h=host: forged(
            run, out, host=h
        )
    cases["forged files"] = lambda run, out: forged(run, out, files={"../../x": "0"})
    cases["forged arrays"] = lambda run, out: forged(run, out, arrays={})
    return cases


def study_cases():
    """What is done to the directory of a study."""
    cases = {}
    for name in (
        "study.json",
        "search.json",
        "rungs.json",
        "plan.jsonl",
        "ledger.jsonl",
    ):
        for number, content in enumerate((*NOT_OBJECTS, NESTED)):
            cases[f"{name} {number}"] = lambda study, out, n=name, c=content: put(
                study / n, (c.encode() if isinstance(c, str) else c) + b"\n"
            )
    for ledger in ("/etc/passwd", "../../.bashrc", "../out/of/here.txt"):
        cases[f"ledger {ledger}"] = lambda study, out, v=ledger: changed(
            study / "study.json", ledger=v
        )
    for name in ("trials", "groups", "claims", "failures", "workers", "ledger.jsonl"):

        def link(study, out, n=name):
            place = study / n
            if place.is_dir():
                shutil.rmtree(place)
            place.unlink(missing_ok=True)
            place.symlink_to(out)

        cases[f"link {name}"] = link

    def wild_id(study, out):
        from dropout_jax.sweeps import plan_file

        path = study / "plan.jsonl"
        line = json.loads(path.read_text().splitlines()[0]) | {"trial": "../../out/x"}
        put(path, json.dumps(line) + "\n")
        seal = plan_file._seal(path.read_bytes().splitlines())
        changed(study / "study.json", plan=seal)

    cases["id of a trial is a path"] = wild_id
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


def harmed(tmp_path, original, harm, use):
    """Returns what is wrong when a harmed copy of a directory is used."""
    copy, out = tmp_path / "copy", tmp_path / "out"
    shutil.copytree(original, copy)
    out.mkdir()
    harm(copy, out)
    before = everything(out)
    wrong = use(copy) + ["wrote outside"] * (everything(out) != before)
    shutil.rmtree(copy)
    shutil.rmtree(out)
    return wrong


@pytest.mark.filterwarnings("ignore:checkpoint .* is passed over")
def test_hostile_files(tmp_path, whole, capsys, figure):
    (trial, *_) = whole.trials()

    def use_run(run):
        wrong = []
        for use in (load_run, lambda run: training.run(trial.config, run)):
            try:
                use(run)
            except UserError as error:
                wrong += [str(error)] * ("\n" in str(error))
            (run / "status").unlink(missing_ok=True)  # so that it is resumed
        return wrong

    def use_study(study):
        wrong = []
        for command in ("status", "report", "resume"):
            flags = [f"--study={study}"] + ["--workers=1"] * (command == "resume")
            code = main(["sweeps", command, *flags])
            said = capsys.readouterr().err
            if code not in (0, 1, 2) or said.count("\n") > 1:
                wrong.append(f"{command}: {said}")
        return wrong

    wrong = {}
    for original, use, cases in (
        (whole.run_directory(trial), use_run, run_cases()),
        (whole.path, use_study, study_cases()),
    ):
        for name, harm in cases.items():
            wrong[name] = harmed(tmp_path, original, harm, use)
    mark = tmp_path / "code_ran"
    for name, content in data_cases(str(mark)).items():
        path = tmp_path / "data.npz"
        put(path, content)
        with pytest.raises(UserError) as error:
            load(str(path))
        wrong[name] = [str(error.value)] * ("\n" in str(error.value))
    found = {name: what for name, what in wrong.items() if what}
    figure(
        13,
        "hostile files: a run's, a study's, a data set's (pickles, paths, links, giant "
        "headers, deep JSON, forged manifests)",
        "at least 40 cases: no code runs, nothing is written outside, one line",
        f"{len(wrong) - len(found)}/{len(wrong)}; "
        f"code ran: {'yes' if mark.exists() else 'no'}",
    )
    assert not found and not mark.exists()
    assert len(wrong) >= 40
