# SPDX-License-Identifier: Apache-2.0
"""docs/audit.md answers every finding, and the tests that it names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
TESTS = {path.name: path for path in (ROOT / "tests").rglob("test_*.py")}


def test_every_finding_is_answered():
    answered = set(re.findall(r"^\| ([ABC]\d+)\. ", PAGE, re.M))
    expected = {f"A{n}" for n in range(1, 21)}
    expected |= {f"B{n}" for n in range(1, 5)} | {f"C{n}" for n in range(1, 8)}
    assert answered == expected


def test_the_tests_that_it_names_are_there():
    named = 0
    for line in PAGE.splitlines():
        file = ""
        for found in re.finditer(r"`([\w/]+\.py)?(?:::(test_\w+))?`", line):
            path, test = found.groups()
            if path and path.rpartition("/")[2] in TESTS:
                file = path.rpartition("/")[2]
            if test:
                named += 1
                text = TESTS[file].read_text(encoding="utf-8")
                assert f"\ndef {test}(" in text, (file, test)
    assert named >= 50
