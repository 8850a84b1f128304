# SPDX-License-Identifier: Apache-2.0
"""The source of a plugin, found without running it: what makes it another plugin.

It is the plugin's file and what that imports from its own directory, directly or by way
of other files there. What else it imports is installed: `packages` have versions.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

_SUFFIXES = (".py", *importlib.machinery.EXTENSION_SUFFIXES)
_INSTALLED = ("site-packages", "dist-packages")
_OURS = "dropout_jax"  # which a run records by its version and commit


def sha256(plugin: str) -> str | None:
    """Returns the SHA-256 of a plugin's source; None where there is no source.

    The content counts and the names that imports use, never a place or the order of
    imports: the directory may be moved, and the plugin's own file renamed.

    Args:
      plugin: name of a module, or path of a .py file.
    """
    if (found := files(plugin)) is None:
        return None
    digest = hashlib.sha256()
    for name, path in sorted(found.items()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def packages(plugin: str) -> list[str]:
    """Returns the installed packages that a plugin's source imports, by module name."""
    found = {
        name
        for path in (files(plugin) or {}).values()
        for name in _named(path)
        if name not in sys.stdlib_module_names
    }
    return sorted(found)


def _named(file: Path) -> Iterator[str]:
    """Yields the first names of a file's absolute imports."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def files(plugin: str) -> dict[str, Path] | None:
    """Returns the files of a plugin's source by name, "" for its own; None: no file."""
    if plugin.endswith(".py"):
        main, names = Path(plugin).absolute(), []
    else:
        main, names = _module(plugin), plugin.split(".")
    if main is None or not main.is_file():
        return None
    # Where absolute imports begin: above the package, if it is part of one.
    depth = len(names) - (main.name != "__init__.py") if names else 0
    top = main.parents[depth]
    own = top / names[0] if depth else top
    alone = own.name in _INSTALLED  # its neighbors are other people's packages
    found, queue = {"": main}, [main]
    parents = (p / "__init__.py" for p in main.parents if p.is_relative_to(own))
    above = [path for path in parents if depth and path != main and path.is_file()]
    found |= {path.relative_to(top).as_posix(): path for path in above}
    queue += above
    while queue:
        file = queue.pop()
        for path in _imported(file, top):
            inside = path.is_relative_to(own) and not (alone and path.parent == own)
            if inside and path not in found.values():
                found[path.relative_to(top).as_posix()] = path
                queue.append(path)
    return found


def _module(name: str) -> Path | None:
    """Returns the file of a module; unlike `find_spec`, it runs no package's code."""
    top, *rest = name.split(".")
    if top in sys.modules:
        spec = getattr(sys.modules[top], "__spec__", None)
    else:
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return None
    if spec is None:
        return None
    # A directory without __init__.py may be one of several of its name.
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    path = Path(spec.origin) if spec.origin else None
    for part in rest:
        found = next(filter(None, (_file(place, part) for place in places)), None)
        inner = [place / part for place in places if (place / part).is_dir()]
        if found is None and not inner:
            return None
        path = found
        places = [found.parent] * (found.name == "__init__.py") if found else inner
    return path


def _file(directory: Path, name: str) -> Path | None:
    """Returns the file that `import name` would load from a directory."""
    for base in (directory / name / "__init__", directory / name):
        for suffix in _SUFFIXES:
            path = base.with_name(base.name + suffix)
            if path.is_file():
                return path
    return None


def _imported(file: Path, top: Path) -> Iterator[Path]:
    """Yields the files below `top` that a file names in its imports."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _along(top, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            start = _above(file, node.level) if node.level else top
            steps = node.module.split(".") if node.module else []
            for alias in node.names:  # a name may be a module or be inside of one
                yield from _along(start, [*steps, alias.name])
        elif isinstance(node, ast.Call) and node.args:
            called, first = node.func, node.args[0]
            name = getattr(called, "attr", None) or getattr(called, "id", None)
            dynamic = name in ("import_module", "__import__")
            if dynamic and isinstance(first, ast.Constant):
                wanted = str(first.value)
                level = len(wanted) - len(wanted.lstrip("."))
                start = _above(file, level) if level else top
                yield from _along(start, wanted.strip(".").split("."))


def _tree(file: Path) -> ast.Module:
    """Returns the syntax tree of a file; an empty one where it is no Python."""
    try:
        if file.suffix == ".py":
            return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # its import will say so
        pass
    return ast.Module([], [])


def _above(file: Path, level: int) -> Path:
    """Returns the directory at which a relative import of so many dots begins."""
    return file.parents[min(level, len(file.parents)) - 1]


def _along(start: Path, names: list[str]) -> Iterator[Path]:
    """Yields the files that are loaded on the way to a.b.c, as far as there are any."""
    directory = start
    for place, name in enumerate(names):
        if place == 0 and name == _OURS:
            return
        path = _file(directory, name)
        if path is None:
            return
        yield path
        directory = directory / name
