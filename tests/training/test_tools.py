# SPDX-License-Identifier: Apache-2.0
"""What git says of the code is recorded if it is what git can say, and else not."""

import subprocess

import pytest

from dropout_jax.training import environment

COMMIT = b"0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def git(monkeypatch):
    """Returns a function that has `git` answer to rev-parse and to diff."""

    def answers(commit, difference=b""):
        def run(command, **options):
            said = commit if "rev-parse" in command else difference
            if isinstance(said, Exception):
                raise said
            assert options["timeout"] and "GIT_DIR" not in options["env"]
            return subprocess.CompletedProcess(command, 0, said, b"")

        monkeypatch.setattr(environment.subprocess, "run", run)
        return environment._commit()

    monkeypatch.setenv("GIT_DIR", "/of/another/tree")  # as in a hook
    return answers


def test_a_commit_and_its_changes(git):
    found = git(COMMIT + b"\n")
    expected = {"commit": COMMIT.decode(), "modified": False, "difference_sha256": ""}
    assert found == expected
    assert git(COMMIT, b"+ caf\xe9")["modified"] is True  # no UTF-8: it was a traceback


@pytest.mark.parametrize(
    "said",
    [
        b"warning: unable to access '/root/.config/git/config'",
        b"HEAD",
        b"",
        FileNotFoundError("git"),
        subprocess.TimeoutExpired("git", 10),
        subprocess.CalledProcessError(128, "git"),
    ],
    ids=repr,
)
def test_words_are_no_commit(git, said):
    assert git(said)["commit"] is None


def test_changes_that_git_does_not_tell_are_not_told_as_none(git):
    found = git(COMMIT, subprocess.TimeoutExpired("git", 10))
    assert found["modified"] is None and found["difference_sha256"] is None
