# SPDX-License-Identifier: Apache-2.0
"""Config files and plugins of any legal form; what is wrong with one is one line."""

import os
import pickle
import sys
from pathlib import Path

import pytest

from dropout_jax.config import UserError, command_line, modules
from dropout_jax.config.loading import call, load_config, load_module, split
from dropout_jax.training import plugin

HEAD = "from dropout_jax.config import defaults\n"
CONFIG = "def get_config():\n    config = defaults()\n    config.seed = 7\n"
FORMS = {
    "annotations and a dataclass": "from __future__ import annotations\n"
    "import dataclasses, typing\n"
    "@dataclasses.dataclass\nclass A:\n    x: int = 3\n    y: typing.ClassVar = 4\n"
    "assert typing.get_type_hints(A)['x'] is int\n",
    "named tuples, enums, pickle": "import enum, pickle, typing\n"
    "class E(enum.Enum):\n    A = 1\n"
    "class N(typing.NamedTuple):\n    x: int\n"
    "assert pickle.loads(pickle.dumps((E.A, N(3)))) == (E.A, N(3))\n",
    "a byte order mark": "\ufeff",
    "its own name": "import sys\nassert sys.modules[__name__].__file__ == __file__\n",
}
NAMES = [
    "json.py",
    "random.py",
    "模型.py",
    "конфиг.py",
    "a b'c\".py",
    "x.cfg",
    "a.b.py",
]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture(params=["config file", "plugin"])
def load(request):
    """Runs a file, as what one or the other does."""
    yield load_module if request.param == "config file" else plugin.import_plugin


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_any_legal_form_runs(tmp_path, load, text):
    """The first is the reproduction: 'NoneType' object has no attribute '__dict__'."""
    load(write(tmp_path / "own.py", text))


@pytest.mark.parametrize("name", NAMES)
def test_any_name_runs_and_hides_no_module(tmp_path, name):
    import json
    import random

    file = write(tmp_path / name, HEAD + CONFIG + "    return config\n")
    assert load_config(file).seed == 7
    plugin.import_plugin(file)
    assert sys.modules["json"] is json and sys.modules["random"] is random


ENDS = {
    "sys.exit": ("import sys\nsys.exit()", "SystemExit"),
    "sys.exit with words": ("import sys\n\nsys.exit('no data')", "SystemExit: no data"),
    "os-like base": (
        "class Stop(BaseException): pass\nraise Stop('here')",
        "Stop: here",
    ),
    "a group": (
        "raise ExceptionGroup('all', [ValueError('a'), TypeError('b')])",
        "ExceptionGroup: all: ValueError: a; TypeError: b",
    ),
    "a group with an exit": (
        "raise BaseExceptionGroup('all', [SystemExit(3)])",
        "all: SystemExit: 3",
    ),
    "cancelled": ("import asyncio\nraise asyncio.CancelledError", "CancelledError"),
    "syntax": ("x = 1\ny = (", "SyntaxError"),
    "lines": ("raise ValueError('one\\ntwo')", "ValueError: one two"),
    "no text": ("raise ValueError", "line 1: ValueError"),
    "utf-16": ("\0a", "null byte"),
}


@pytest.mark.parametrize(("text", "says"), ENDS.values(), ids=ENDS)
def test_whatever_a_file_raises_is_one_line_with_its_place(tmp_path, load, text, says):
    file, before = write(tmp_path / "own.py", text), set(sys.modules)
    for _ in range(2):  # a second time it is not taken for loaded
        with pytest.raises(UserError) as caught:
            load(file)
        assert f"{file}, line " in str(caught.value) or "null" in says
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
    assert set(sys.modules) - before <= {"asyncio"} | {
        name for name in sys.modules if name.startswith("asyncio.")
    }


def test_an_interrupt_is_the_users(tmp_path, load):
    with pytest.raises(KeyboardInterrupt):
        load(write(tmp_path / "own.py", "raise KeyboardInterrupt"))


def test_an_exit_of_a_plugin_does_not_end_the_command_as_done(tmp_path, capsys):
    """The exit code was that of sys.exit(): 0, and nothing was trained."""
    file = write(tmp_path / "own.py", "import sys\nsys.exit(0)")
    assert command_line.guarded(lambda: plugin.import_plugin(file)) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_line_is_that_of_the_file_that_is_wrong(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path / "own_helper_of_a_test.py", "\n\n\nx = (")
    file = write(tmp_path / "own.py", "\nimport own_helper_of_a_test")
    with pytest.raises(UserError) as caught:
        load_module(file)
    assert f"{file}, line 2: " in str(caught.value)
    assert "own_helper_of_a_test.py, line 4" in str(caught.value)


def test_a_module_that_is_missing_inside_is_not_told_as_the_plugin(
    tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path / "own_plugin_of_a_test.py", "import no_such_thing")
    with pytest.raises(UserError, match="No module named 'no_such_thing'") as caught:
        plugin.import_plugin("own_plugin_of_a_test")
    assert "give the name" not in str(caught.value)
    with pytest.raises(UserError, match="give the name of an importable module"):
        plugin.import_plugin("no_such_plugin_at_all")


def test_a_file_that_is_written_anew_at_once_is_run_anew(tmp_path):
    """Python's cache of compiled files knows seconds and sizes alone."""
    file = tmp_path / "own.py"
    for number in (1, 2):
        file.write_text(f"x = {number}")
        os.utime(file, (1e9, 1e9))
        assert modules.run_file(str(file)).x == number
    assert [path.name for path in tmp_path.iterdir()] == ["own.py"]


def test_what_a_module_made_can_be_pickled_later(tmp_path):
    text = "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int\n"
    module = load_module(write(tmp_path / "own.py", text))
    kept = pickle.dumps(module.A(3))
    assert pickle.loads(kept) == module.A(3)  # noqa: S301


RETURNED = {
    "locked": "    return config.lock()\n",
    "frozen": "    from ml_collections import config_dict\n"
    "    return config_dict.FrozenConfigDict(config)\n",
}


@pytest.mark.parametrize("end", RETURNED.values(), ids=RETURNED)
def test_flags_go_on_top_of_any_configuration(tmp_path, end, monkeypatch):
    file, seen = write(tmp_path / "c.py", HEAD + CONFIG + end), []
    flags = [
        f"--config={file}",
        "--config.train.epochs=3",
        f"--workdir={tmp_path}/w",
    ]
    code = command_line.main(
        seen.append, description="", default_config=file, argv=["train.py", *flags]
    )
    assert code == 0 and seen[0].config.train.epochs == 3
    assert seen[0].config.seed == 7 and seen[0].config.is_locked


def test_a_placeholder_without_a_value_is_one_line(tmp_path):
    text = (
        "    from ml_collections import config_dict\n"
        "    seed = config_dict.required_placeholder(int)\n"
        "    return config_dict.ConfigDict({**config.to_dict(), 'seed': seed})\n"
    )
    with pytest.raises(UserError, match="cannot be read") as caught:
        load_config(write(tmp_path / "c.py", HEAD + CONFIG + text))
    assert "\n" not in str(caught.value)


def test_a_text_goes_to_functions_that_take_one(tmp_path):
    text = "def one(text):\n    return text\ndef none():\n    return 1\n"
    text += "def both(text='x'):\n    return text\n"
    file = write(tmp_path / "c.py", text)
    assert call(f"{file}:a:b", "one", "") == "a:b"
    assert call(f"{file}:", "one", "") == ""
    assert call(file, "both", "") == "x"
    with pytest.raises(UserError, match=r"one\(\) needs a text: .*c.py:TEXT"):
        call(file, "one", "")
    with pytest.raises(UserError, match=r"none\(\) takes no text: leave out 'cnn'"):
        call(f"{file}:cnn", "none", "")


@pytest.mark.parametrize("folder", ["runs/2024-01-01T10:30", "a.py:b", ":", "x:y:z"])
def test_colons_may_be_part_of_a_path(tmp_path, monkeypatch, folder):
    """The reproduction: "there is no config file 'runs/2024-01-01T10'"."""
    monkeypatch.chdir(tmp_path)
    file = write(Path(folder, "c:1.py"), HEAD + CONFIG + "    return config\n")
    assert split(file) == (file, None)
    assert split(f"{file}:cnn:2") == (file, "cnn:2")
    assert load_config(file).seed == 7
    with pytest.raises(UserError, match="no config file") as caught:
        load_config(f"{folder}/gone.py")
    assert f"'{folder}/gone.py'" in str(caught.value)
    with pytest.raises(UserError, match=r"no config file 'gone\.py'"):
        load_config("gone.py:cnn")
