# SPDX-License-Identifier: Apache-2.0
"""The command line: what it accepts, its --help, its exit codes, its haste.

Wrong command lines are in test_cli_errors.py.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from dropout_jax.config import Interrupted, command_line, validate

ROOT = Path(__file__).parents[1]
NO_RATES = "--config.noise.rates="
MLP, RNN = "--config=configs/mlp.py", "--config=configs/rnn.py"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def answer(args, run, **options) -> int:
    return command_line.main(
        run,
        description="Trains.",
        default_config="configs/default.py",
        argv=["train.py", *args],
        **options,
    )


def never(flag_values):
    pytest.fail(f"a wrong command line reached the run: {flag_values.config}")


def accepted(args, tmp_path) -> flags.FlagValues:
    seen = []
    assert answer([*args, f"--workdir={tmp_path}/run"], seen.append) == 0
    return seen[0]


def test_no_config_means_the_defaults(tmp_path):
    config = accepted([], tmp_path).config
    validate(config)
    assert (config.model.name, config.noise.kind) == ("mlp", "none")
    assert config.is_locked


@pytest.mark.parametrize(
    ("args", "rates"),
    [
        (["--config.noise.rates=0.3"], (0.3,)),
        (["--config.noise.rates", "0.3"], (0.3,)),
        (["--config.noise.rates=(0.3,)"], (0.3,)),
        (["--config.noise.rates=0.3,0.5"], (0.3, 0.5)),
        (["--config.noise.rates=[0.3, 0.5]"], (0.3, 0.5)),
        (["--config.noise.rates=0.3", "--config.noise.rates=0.5"], (0.3, 0.5)),
        (["--config.noise.rates=0"], (0,)),
        (["--config.noise.kind=none", "--config.noise.input_rate=0", NO_RATES], ()),
    ],
)
def test_a_tuple_may_be_written_in_several_ways(args, rates, tmp_path):
    assert accepted([MLP, *args], tmp_path).config.noise.rates == rates


@pytest.mark.parametrize(
    ("args", "flip"),
    [
        (["--config.data.flip"], True),
        (["--config.data.flip=true"], True),
        (["--config.data.flip", "--noconfig.data.flip"], False),
    ],
)
def test_booleans(args, flip, tmp_path):
    assert accepted(args, tmp_path).config.data.flip is flip


def test_order_and_repetition_do_not_matter(tmp_path):
    args = ["--config.seed=1", "--device=auto", "--config=configs/cnn.py"]
    parsed = accepted([*args, RNN, "--config.seed=2", "--device=auto"], tmp_path)
    assert (parsed.config.model.name, parsed.config.seed) == ("rnn", 2)
    assert parsed.workdir == f"{tmp_path}/run"


def test_a_config_file_may_take_an_argument(tmp_path):
    (tmp_path / "sized.py").write_text(
        "from dropout_jax.config import defaults\n"
        "def get_config(size):\n    config = defaults()\n"
        "    config.data.train_size = int(size)\n    return config\n"
    )
    parsed = accepted([f"--config={tmp_path}/sized.py:5000"], tmp_path)
    assert parsed.config.data.train_size == 5000


def test_a_plugin_opens_the_names(tmp_path):
    args = ["--config.model.name=mine", "--config.noise.kind=shake"]
    config = accepted([*args, "--config.plugin=json.tool"], tmp_path).config
    assert (config.model.name, config.noise.kind) == ("mine", "shake")


def test_a_script_adds_its_own_flags_and_defaults(tmp_path, capsys):
    def define(flag_values):
        flags.DEFINE_integer("seeds", 5, "Seeds.", 1, 99, flag_values=flag_values)
        flags.DEFINE_bool("short", False, "Quick.", flag_values=flag_values)

    seen = []
    options = {"define": define, "default_workdir": f"{tmp_path}/study"}
    assert answer(["--seeds=3", "--short"], seen.append, **options) == 0
    assert (seen[0].seeds, seen[0].short) == (3, True)
    assert seen[0].workdir == f"{tmp_path}/study"
    assert answer(["--noshort", "--seeds=0"], never, **options) == 2
    assert "--seeds='0': " in capsys.readouterr().err
    assert answer(["--seed=3"], never, **options) == 2
    assert "--seeds (" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help_lists_every_flag_and_field(flag, capsys):
    assert answer([flag, "--config.seed=wrong"], never) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "--workdir" in out and "--device" in out
    assert "--config.seed=0" in out
    assert "--config.noise.rates=()" in out
    assert "a number in (0, 10]" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("program", [["train.py"], ["-m", "dropout_jax.sweeps", "run"]])
def test_interruption_names_the_command_that_resumes(
    program, tmp_path, capsys, monkeypatch
):
    flag = f"--workdir={tmp_path}/my run"
    monkeypatch.setattr(sys, "orig_argv", ["/venv/bin/python3", *program, flag])

    def stopped(flag_values):
        raise Interrupted(flag_values.workdir, signal.SIGTERM)

    assert answer([flag], stopped) == 143
    err = capsys.readouterr().err
    assert err.endswith(f"to go on: python {' '.join(program)} '{flag}'\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_run_is_quiet(number, tmp_path, capsys):
    # Whoever runs the tests under nohup has SIGHUP ignored.
    outside = signal.signal(number, before := signal.default_int_handler)

    def stopped(flag_values):
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt:
            raise ImportError("as an extension module turns it into") from None

    assert answer([f"--workdir={tmp_path}/run"], stopped) == 128 + number
    assert capsys.readouterr().err.count("\n") == 1
    assert signal.signal(number, outside) is before


def test_a_bug_is_not_hidden(tmp_path):
    def broken(flag_values):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answer([f"--workdir={tmp_path}/run"], broken)


def test_the_run_may_set_the_exit_code(tmp_path):
    assert answer([f"--workdir={tmp_path}/run"], lambda flag_values: 1) == 1


@pytest.mark.parametrize(("device", "platforms"), [("cpu", "cpu"), ("gpu", "")])
def test_device_is_set_here_and_for_processes_started_later(
    device, platforms, tmp_path, capsys, monkeypatch
):
    import jax

    settings = {}
    monkeypatch.setenv("JAX_PLATFORMS", "elsewhere")
    monkeypatch.setattr(jax.config, "update", settings.__setitem__)
    monkeypatch.setattr(jax, "devices", lambda platform: [platform])
    accepted([f"--device={device}"], tmp_path)
    assert settings == {"jax_platforms": platforms}
    assert os.environ["JAX_PLATFORMS"] == platforms


@pytest.mark.parametrize("device", ["gpu", "tpu"])
def test_a_device_that_is_not_there_is_refused(device, tmp_path, capsys, monkeypatch):
    import jax

    monkeypatch.setenv("JAX_PLATFORMS", "elsewhere")
    monkeypatch.setattr(jax.config, "update", lambda name, value: None)

    def absent(platform):
        raise RuntimeError(f"no {platform}\nat all")

    monkeypatch.setattr(jax, "devices", absent)
    args = [f"--device={device}", f"--workdir={tmp_path}/run"]
    assert answer(args, never) == 2
    err = capsys.readouterr().err
    assert f"--device={device}: JAX finds none here (no {device} at all)" in err
    assert err.count("\n") == 1


REAL = [
    ([MLP, "--config.noise.rates=1.5"], "at most 1 unless"),
    (["--config.noise.rate=1"], "config.noise.rates"),
    (["--config.optimizer=3"], "set optimizer.name"),
    (["--config=no/where.py"], "no/where.py"),
    (["--workdri=a"], "--workdir"),
]


@pytest.mark.parametrize(("args", "says"), REAL, ids=[str(a)[:50] for a, _ in REAL])
def test_the_real_program_answers_before_jax_is_imported(args, says, tmp_path):
    done = train([f"--workdir={tmp_path}/run", *args], "-X", "importtime")
    imported, said = by_origin(done.stderr)
    assert done.returncode == 2
    assert len(said) == 1 and says in said[0]
    assert "ml_collections" in imported
    assert not imported & {"jax", "flax", "optax", "numpy", "scipy"}
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.json", '{"seed": 5}', "belongs to a run with other settings"),
        ("thesis.tex", "", "holds other files (such as thesis.tex)"),
    ],
)
def test_the_directory_of_another_is_refused_as_soon(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    done = train([f"--workdir={tmp_path}"], "-X", "importtime")
    imported, said = by_origin(done.stderr)
    assert done.returncode == 2
    assert len(said) == 1 and says in said[0]
    assert not imported & {"jax", "flax", "optax", "numpy", "scipy"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


# JAX says nothing at all of a GPU that is not there: an assertion of its own fails.
@pytest.mark.parametrize("platform", ["nowhere", "cuda"])
def test_a_platform_that_jax_does_not_find_is_one_line(tmp_path, platform):
    done = train([f"--workdir={tmp_path}/run"], JAX_PLATFORMS=platform)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: JAX_PLATFORMS='{platform}': JAX finds no")
    assert "; unset JAX_PLATFORMS" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_memory_that_is_too_small_is_one_line(tmp_path, capsys):
    def allocate(flag_values):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory.\nBFC: chunk\n" * 99)

    assert answer([f"--workdir={tmp_path}/run"], allocate) == 2
    assert capsys.readouterr().err == (
        "error: RESOURCE_EXHAUSTED: Out of memory; a smaller model or batch, or fewer "
        "lanes, take less memory\n"
    )


def test_the_real_help_does_not_import_jax():
    done = train(["--help"], "-X", "importtime")
    imported, said = by_origin(done.stderr)
    assert done.returncode == 0 and not said
    assert "--config.noise.kind" in done.stdout
    assert not imported & {"jax", "flax", "optax", "numpy", "scipy"}


def test_the_import_check_sees_jax():
    code = [sys.executable, "-X", "importtime", "-c", "import dropout_jax.transforms"]
    done = subprocess.run(code, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert "jax" in by_origin(done.stderr)[0]


def test_the_smoke_run_from_the_command_line(tmp_path):
    workdir = tmp_path / "run"
    args = ["--config=configs/smoke.py", f"--workdir={workdir}", "--device=cpu"]
    done = train(args)
    assert done.returncode == 0, done.stderr
    assert (workdir / "result.json").is_file()


def train(args, *python, **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *python, "train.py", *args],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=120,
    )


def by_origin(stderr: str) -> tuple[set[str], list[str]]:
    """The modules that -X importtime names, and the lines that are not its own."""
    lines = stderr.splitlines()
    said = [line for line in lines if not line.startswith("import time:")]
    return {re.split(r"\|\s*", line)[-1].strip() for line in lines}, said


@pytest.mark.parametrize(
    "args",
    [
        [MLP, "--config.noise.kind=none"],
        [RNN, "--config.noise.kind=none"],
        [MLP, "--config.noise.kind=variational_dropout"],
        ["--config=configs/cnn.py", "--config.noise.kind=none"],
        [
            *(
                RNN,
                "--config.noise.sharing=tied",
                "--config.model.recurrent_noise=state",
            ),
            *("--config.noise.schedule=linear", "--config.noise.schedule_epochs=3"),
            "--config.noise.kind=none",
        ],
    ],
    ids=str,
)
def test_the_command_that_a_message_gives_works(args, tmp_path, capsys, monkeypatch):
    """A natural first experiment, typed again as it is told to."""
    workdir = f"--workdir={tmp_path}/run"
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", *args, workdir])
    assert answer([*args, workdir], never) == 2
    told = capsys.readouterr().err.partition(" back: ")[2]
    program, script, *flags_again = shlex.split(told)
    assert (program, script) == ("python", "train.py")
    seen = []
    assert answer(flags_again, seen.append) == 0
    assert seen[0].config.noise.kind == args[-1].partition("=")[2]
