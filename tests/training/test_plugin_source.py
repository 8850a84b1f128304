# SPDX-License-Identifier: Apache-2.0
"""Which files make a plugin: found by their imports, without running any."""

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.training import environment, plugin, plugin_source

FILES = {
    "plug.py": "import helper, numpy\nfrom sub import deep\n"
    "def late():\n    import importlib\n    importlib.import_module('dynamic')\n"
    "raise SystemExit('nobody runs it')\n",
    "helper.py": "import plug  # a circle\n",
    "dynamic.py": "",
    "sub/__init__.py": "from . import near\n",
    "sub/near.py": "from .. import above\n",
    "sub/deep.py": "",
    "above.py": "",
    "unrelated.py": "",
    "numpy_like.txt": "",
}
OWN = {*FILES} - {"plug.py", "unrelated.py", "numpy_like.txt"}


@pytest.fixture
def place(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_its_own_file_and_what_that_imports_from_its_directory(place, monkeypatch):
    assert set(plugin_source.files(str(place / "plug.py"))) == {"", *OWN}
    digest = plugin_source.sha256(str(place / "plug.py"))
    monkeypatch.chdir(place)
    assert plugin_source.sha256("plug.py") == digest
    monkeypatch.syspath_prepend(place)
    assert plugin_source.sha256("plug") == digest  # as a module
    (place / "plug.py").rename(place / "other.py")
    (place / "helper.py").write_text("import other  # a circle\n")
    assert plugin_source.sha256("missing.py") is None
    assert plugin_source.sha256("no.such.module") is None


@pytest.mark.parametrize("name", sorted(OWN | {"plug.py"}))
def test_each_of_them_counts_and_nothing_else(place, name):
    path = str(place / "plug.py")
    digest = plugin_source.sha256(path)
    (place / "unrelated.py").write_text("x = 1\n")
    assert plugin_source.sha256(path) == digest
    (place / name).write_text(FILES[name] + "# changed\n")
    assert plugin_source.sha256(path) != digest


def test_two_files_that_change_places_are_another_plugin(place):
    path = str(place / "plug.py")
    for name, text in (("above.py", "x = 1\n"), ("dynamic.py", "x = 2\n")):
        (place / name).write_text(text)
    digest = plugin_source.sha256(path)
    (place / "above.py").write_text("x = 2\n")
    (place / "dynamic.py").write_text("x = 1\n")
    assert plugin_source.sha256(path) != digest


WAYS = {
    "from layers_ns.acts import SCALE": "layers_ns/acts.py",
    "from layers_ns import acts": "layers_ns/acts.py",
    "import layers_ns.inner.deep": "layers_ns/inner/deep.py",
    "from .layers_ns.acts import SCALE": "layers_ns/acts.py",
    "from importlib import import_module as im\nim('acts')": "acts.py",
    "import importlib as il\nil.import_module(name='acts')": "acts.py",
    "import importlib\nimportlib.import_module('.acts', 'layers_ns')": (
        "layers_ns/acts.py"
    ),
    "import importlib\nimportlib.import_module('..acts', package='layers_ns.inner')": (
        "layers_ns/acts.py"
    ),
    "__import__(name='acts')": "acts.py",
}


@pytest.mark.parametrize("line", WAYS)
def test_a_helper_counts_by_whatever_import_it_is_named(tmp_path, line):
    (tmp_path / "plug.py").write_text(f"{line}\n")
    for helper in {*WAYS.values()}:  # in directories without __init__.py
        (tmp_path / helper).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / helper).write_text("SCALE = 1\n")
    path = str(tmp_path / "plug.py")
    assert set(plugin_source.files(path)) == {"", WAYS[line]}
    digest = plugin_source.sha256(path)
    (tmp_path / WAYS[line]).write_text("SCALE = 2\n")
    assert plugin_source.sha256(path) != digest


def test_a_linked_plugin_has_what_lies_beside_its_target_too(place, tmp_path):
    links = tmp_path / "links"
    links.mkdir()
    link = links / "linked.py"
    link.symlink_to(place / "plug.py")
    digest = plugin_source.sha256(str(place / "plug.py"))
    assert plugin_source.sha256(str(link)) == digest
    # What is linked as well is one file; another one of the same name may be loaded.
    (links / "above.py").symlink_to(place / "above.py")
    assert plugin_source.sha256(str(link)) == digest
    for name in ("helper.py", "beside.py"):
        (links / name).write_text("import beside, dynamic\n")
    found = plugin_source.files(str(link))
    assert set(found) == {"", "beside.py", "helper.py of the target", *OWN}
    for path in {*found.values()}:
        before, text = plugin_source.sha256(str(link)), path.read_text()
        path.write_text(text + "# changed\n")
        assert plugin_source.sha256(str(link)) != before
        path.write_text(text)


def test_a_module_of_a_package_has_what_its_package_runs(place, monkeypatch):
    monkeypatch.syspath_prepend(place)
    (place / "sub" / "near.py").write_text("import sub.deep, helper\n")
    found = plugin_source.files("sub.near")
    # Above the package are other people's modules.
    assert set(found) == {"", "sub/__init__.py", "sub/deep.py"}
    assert set(plugin_source.files("experiments.lenet5")) == {""}
    installed = plugin_source.files("six")
    assert set(installed) == {""}


def test_the_packages_that_it_imports_have_versions(place):
    (place / "above.py").write_text("import scipy.stats, os\nfrom rich import text\n")
    path = str(place / "plug.py")
    assert {"numpy", "scipy", "rich"} <= set(plugin_source.packages(path))
    assert "os" not in plugin_source.packages(path)
    assert environment.versions(path)["scipy"] and environment.versions(path)["jax"]
    assert "rich" not in environment.versions()


def test_a_plugin_that_changes_after_its_import_is_refused(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("x = 1\n")
    plugin.import_plugin(str(path))
    plugin.import_plugin(str(path))
    path.write_text("x = 2\n")
    with pytest.raises(UserError, match=r"has changed since.*start a new process"):
        plugin.import_plugin(str(path))
