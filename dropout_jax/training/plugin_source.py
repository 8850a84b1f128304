# SPDX-License-Identifier: Apache-2.0
"""The source of a plugin, found without running it: what makes it another plugin.

It is the plugin's file and what that imports from its own directory, directly or by way
of other files there; where the file is a link, from the directory of its target too.
What else it imports is installed: `packages` have versions. What no import names, such
as a module whose name is computed, cannot be seen (docs/training.md, Inputs).
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_SUFFIXES = (".py", *importlib.machinery.EXTENSION_SUFFIXES)
_INSTALLED = ("site-packages", "dist-packages")
_IMPORTERS = ("import_module", "__import__")
_OURS = "dropout_jax"  # which a run records by its version and commit


def is_path(plugin: str) -> bool:
    """Whether a plugin is named by its file, and not as a module."""
    return plugin.endswith(".py") or "/" in plugin


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
    if is_path(plugin):
        main, names = Path(plugin).absolute(), []
    else:
        main, names = _module(plugin), plugin.split(".")
    if main is None or not main.is_file():
        return None
    # Where absolute imports begin: above the package, if it is part of one.
    depth = len(names) - (main.name != "__init__.py") if names else 0
    top = main.parents[depth]
    own = top / names[0] if depth else top
    roots = [(top, own)]
    found, queue = {"": main}, [main]
    if main.is_symlink():  # its helpers may lie beside its target
        target = main.resolve()
        roots.append((target.parent, target.parent))
        queue.append(target)
    parents = (p / "__init__.py" for p in main.parents if p.is_relative_to(own))
    queue += [path for path in parents if depth and path != main and path.is_file()]
    seen = {main, *queue}
    while queue:
        file = queue.pop()
        for path in _imported(file, [top for top, _ in roots]):
            if path not in seen and any(_inside(path, own) for _, own in roots):
                seen.add(path)
                queue.append(path)
    seen -= {main, main.resolve()}
    for top, own in roots:
        for path in sorted(path for path in seen if _inside(path, own)):
            seen.remove(path)
            name = path.relative_to(top).as_posix()
            if name not in found:
                found[name] = path
            elif not path.samefile(found[name]):  # which one is loaded is not known
                found[f"{name} of the target"] = path
    return found


def _inside(path: Path, own: Path) -> bool:
    """Whether a file is of the plugin's directory, or of one below."""
    alone = own.name in _INSTALLED  # its neighbors are other people's packages
    return path.is_relative_to(own) and not (alone and path.parent == own)


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


def _imported(file: Path, tops: Sequence[Path]) -> Iterator[Path]:
    """Yields the files that a file names in its imports, those below `tops`."""
    tree = _tree(file)
    importers = _importers(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _below(tops, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            starts = [_above(file, node.level)] if node.level else tops
            steps = node.module.split(".") if node.module else []
            for alias in node.names:  # a name may be a module or be inside of one
                yield from _below(starts, [*steps, alias.name])
        elif isinstance(node, ast.Call):
            called = node.func
            name = getattr(called, "attr", None) or getattr(called, "id", None)
            if name in importers and (wanted := _text(node, 0, "name")):
                level = len(wanted) - len(wanted.lstrip("."))
                steps = wanted.strip(".").split(".")
                package = _text(node, 1, "package") if level else ""
                if package:  # what the dots begin at
                    above = package.split(".")
                    yield from _below(tops, [*above[: len(above) + 1 - level], *steps])
                else:
                    yield from _below([_above(file, level)] if level else tops, steps)


def _importers(tree: ast.Module) -> set[str]:
    """Returns the names under which a file calls the functions that import."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    aliases = (alias for node in imports for alias in node.names)
    renamed = {a.asname for a in aliases if a.asname and a.name in _IMPORTERS}
    return renamed.union(_IMPORTERS)


def _text(call: ast.Call, place: int, name: str) -> str:
    """Returns an argument that is written out as text, "" if it is not."""
    given = [*call.args[place : place + 1]]
    given += [each.value for each in call.keywords if each.arg == name]
    if given and isinstance(given[0], ast.Constant):
        return given[0].value if isinstance(given[0].value, str) else ""
    return ""


def _tree(file: Path) -> ast.Module:
    """Returns the syntax tree of a file; an empty one where it is no Python."""
    try:
        if file.suffix not in importlib.machinery.EXTENSION_SUFFIXES:
            return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # its import will say so
        pass
    return ast.Module([], [])


def _above(file: Path, level: int) -> Path:
    """Returns the directory at which a relative import of so many dots begins."""
    return file.parents[min(level, len(file.parents)) - 1]


def _below(starts: Sequence[Path], names: list[str]) -> Iterator[Path]:
    """Yields the files that are loaded on the way to a.b.c, as far as there are any."""
    if names[0] == _OURS:
        return
    for directory in starts:
        for name in names:
            path = _file(directory, name)
            directory = directory / name
            if path is not None:
                yield path
            elif not directory.is_dir():  # a package may do without __init__.py
                break
