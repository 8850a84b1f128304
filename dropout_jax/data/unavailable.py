# SPDX-License-Identifier: Apache-2.0
"""The one exception that means "try the next source"."""


class Unavailable(Exception):
    """A source does not have the files; the message says why in a few words."""
