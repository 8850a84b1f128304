# SPDX-License-Identifier: Apache-2.0
"""The flags with which bits depend on no processor: who has them, and what is said."""

import os

import pytest

from dropout_jax.config.errors import UserError
from dropout_jax.training import parts, portable, settings

ALL = " ".join(portable.FLAGS)


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.delenv(portable.VARIABLE, raising=False)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(portable.platform, "machine", lambda: "x86_64")
    return monkeypatch


def test_enable_and_again(environment):
    portable.enable()
    assert os.environ["XLA_FLAGS"] == ALL
    portable.enable()
    assert os.environ["XLA_FLAGS"] == ALL
    assert portable.in_effect()


def test_flags_of_the_user_come_last(environment):
    environment.setenv("XLA_FLAGS", "--xla_cpu_max_isa=SSE4_2 --xla_dump_to=a")
    assert not portable.in_effect()
    portable.enable()
    assert os.environ["XLA_FLAGS"].startswith(ALL)
    assert not portable.in_effect()


def test_not_wanted(environment):
    environment.setenv(portable.VARIABLE, "no")
    portable.enable()
    assert "XLA_FLAGS" not in os.environ


def test_neither_yes_nor_no(environment):
    environment.setenv(portable.VARIABLE, "off")
    said = "^DROPOUT_JAX_PORTABLE='off': must be yes or no; unset it for yes$"
    with pytest.raises(UserError, match=said):
        portable.enable()


def test_another_architecture(environment):
    environment.setattr(portable.platform, "machine", lambda: "aarch64")
    portable.enable()
    assert "XLA_FLAGS" not in os.environ


def test_one_word_stands_for_them(environment):
    environment.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true --xla_a=b")
    portable.enable()
    assert settings.rounding()["XLA_FLAGS"] == "portable --xla_a=b"


def part(**changes):
    found = {
        "step": 0,
        "inputs": {},
        "versions": {},
        "flags": {"XLA_FLAGS": portable.NAME},
        "threads": 1,
        "device": {"platform": "cpu", "kind": "cpu"},
        "processor": {"model": "a", "vector_extensions": ["avx2"]},
    }
    return {**found, **changes}


OTHER = {"processor": {"model": "b", "vector_extensions": ["avx2", "avx512f"]}}


def test_another_processor_is_no_change():
    assert parts.changed(part(), part(**OTHER)) == ""


@pytest.mark.parametrize(
    "as_well",
    [
        {"threads": 2},
        {"flags": {"XLA_FLAGS": ""}},
        {"flags": {"XLA_FLAGS": "portable --xla_a=b"}},
        {"device": {"platform": "gpu", "kind": "H200"}},
    ],
)
def test_another_processor_is_a_change_if_numbers_depend_on_it(as_well):
    said = parts.changed(part(**as_well), part(**as_well, **OTHER))
    assert said.startswith("processor a, now b")
