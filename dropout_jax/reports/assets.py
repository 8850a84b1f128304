# SPDX-License-Identifier: Apache-2.0
"""Files that pages are made of, and the names by which a policy admits scripts."""

import base64
import hashlib
from importlib.resources import files


def asset(name: str) -> str:
    """Returns a template, a style or a script of this package."""
    return files("dropout_jax.reports").joinpath(name).read_text(encoding="utf-8")


def script_hash(script: str) -> str:
    """A script's name in a page's policy: any other script on the page is refused.

    Example:
      >>> script_hash("")[:15]
      "'sha256-47DEQpj"
    """
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
