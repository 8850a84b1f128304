# SPDX-License-Identifier: Apache-2.0
"""The table of fields for people: the text of --help and docs/config.md."""

import textwrap

from absl import flags

from dropout_jax.config.field import Field, show
from dropout_jax.config.schema import FIELDS

_INDENT = " " * 6
_INTRODUCTION = """\
# Configuration

`python -m dropout_jax.config > docs/config.md` writes this page from the table in
`dropout_jax/config/schema.py`; a test compares the two.

A config file is a Python file whose `get_config()` starts from
`dropout_jax.config.defaults()` and sets what differs. Flags go on top of it:

```
python train.py --config=configs/mlp.py --config.noise.rates=0.3 --workdir=runs/a
```

A field of many entries takes `0.3`, `"(0.3, 0.5)"`, or the flag once per entry;
`"()"` and nothing at all are the empty one. A value outside its range, an unknown
field, and a changed field that would have no effect are refused in one line with exit
code 2, before JAX is imported and before the run directory exists. `--help` shows
the table below.

From Python: `defaults()`, `validate(config)`, `canonical(config)` (as JSON) and
`from_json(...)` back, `config_id(config)` (the id of a trial: every field but
`data.source_dir`, `train.checkpoint_seconds` and `train.devices`, which belong to the
machine), and in
`dropout_jax.config.loading`: `load_config(path)` and `override(config, {...})`.
A script of your own gets the same command line from `dropout_jax.config.command_line`;
`train.py` shows how.
"""


def help_text(description: str, flag_values: flags.FlagValues) -> str:
    """The answer to --help: the script's flags, then every field.

    Args:
      description: what the script does, as its docstring says it.
      flag_values: the script's own flags.

    Returns:
      Text of at most 80 columns.
    """
    lines = [description.strip(), "", "Flags:"]
    for name in sorted(flag_values):
        lines += _item(f"--{name}", flag_values[name].help)
    lines += ["", "Fields of the configuration, with their defaults:"]
    for field in FIELDS:
        item = f"{field.meaning} Allowed: {_allowed(field)}."
        lines += _item(f"--config.{field.path}={_plain(field.default)}", item)
    return "\n".join(lines)


def markdown() -> str:
    """The page docs/config.md.

    Returns:
      Markdown with one table per group of fields.
    """
    lines = [_INTRODUCTION.rstrip()]
    group = None
    for field in FIELDS:
        here = field.path.rpartition(".")[0] or "Top level"
        if here != group:
            lines += ["", f"## {here}", ""]
            lines += ["| field | default | allowed | meaning |", "|---|---|---|---|"]
            group = here
        default = _plain(field.default) or '""'
        row = (f"`{field.path}`", f"`{default}`", _allowed(field), field.meaning)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _item(head: str, text: str) -> list[str]:
    return [
        f"  {head}",
        *textwrap.wrap(text, 80, initial_indent=_INDENT, subsequent_indent=_INDENT),
    ]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else show(value)


def _allowed(field: Field) -> str:
    if field.only_with is None:
        return field.allowed
    other, needed = field.only_with
    return f"{field.allowed}; only with {other}={' or '.join(needed)}"
