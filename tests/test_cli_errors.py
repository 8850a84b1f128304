# SPDX-License-Identifier: Apache-2.0
"""The table of wrong command lines: each is answered in one line that helps."""

import warnings
from pathlib import Path

import pytest

from dropout_jax.config import command_line

ROOT = Path(__file__).parents[1]
MLP, CNN, RNN = (f"--config=configs/{name}.py" for name in ("mlp", "cnn", "rnn"))
AT_MOST_1 = ", at most 1 unless config.noise.kind=gaussian_noise"
RATES = "must be a tuple of numbers in [0, inf), e.g. (0.5,)" + AT_MOST_1
INPUT_RATE = "must be a number in [0, inf)" + AT_MOST_1
LEARNING_RATE = "must be a number in (0, 10]"
SEED = "must be a whole number in [0, 4294967295]"
BATCH = "must be a whole number in [1, 2147483647]"
EPOCHS = "must be a whole number in [1, 10000]"

# Arguments, then what the one line must say. `{tmp}` is the test's directory.
WRONG = [
    # Rates.
    ([MLP, "--config.noise.input_rate=-0.1"], ["noise.input_rate=-0.1", INPUT_RATE]),
    ([MLP, "--config.noise.input_rate=1.5"], ["noise.input_rate=1.5", INPUT_RATE]),
    ([MLP, "--config.noise.input_rate=nan"], ["noise.input_rate=nan", INPUT_RATE]),
    ([MLP, "--config.noise.input_rate=inf"], ["noise.input_rate=inf", INPUT_RATE]),
    ([MLP, "--config.noise.input_rate=1e400"], ["noise.input_rate=inf", INPUT_RATE]),
    ([MLP, "--config.noise.input_rate=abc"], ["noise.input_rate='abc'", INPUT_RATE]),
    ([MLP, "--config.noise.input_rate=None"], ["noise.input_rate='None'", INPUT_RATE]),
    ([MLP, "--config.noise.input_rate="], ["noise.input_rate=''", INPUT_RATE]),
    ([MLP, "--config.noise.input_rate=(0.1,)"], ["'(0.1,)'", INPUT_RATE]),
    ([MLP, "--config.noise.rates=-0.1"], ["noise.rates=(-0.1,)", RATES]),
    ([MLP, "--config.noise.rates=(0.1,1.5)"], ["noise.rates=(0.1, 1.5)", RATES]),
    ([MLP, "--config.noise.rates=nan"], ["noise.rates=('nan',)", RATES]),
    ([MLP, "--config.noise.rates=1e999"], ["noise.rates=(inf,)", RATES]),
    ([MLP, "--config.noise.rates=abc"], ["noise.rates=('abc',)", RATES]),
    ([MLP, "--config.noise.rates=None"], ["noise.rates=(None,)", RATES]),
    ([MLP, "--config.noise.rates={}"], ["noise.rates='{}'", RATES]),
    ([MLP, "--config.noise.rates={0.1, 0.2}"], ["noise.rates='{0.1, 0.2}'", RATES]),
    ([MLP, "--config.model.widths=b'ab'"], ["model.widths=", "whole numbers"]),
    ([MLP, "--config.noise.rates=True"], ["noise.rates=(True,)", RATES]),
    ([MLP, "--config.noise.rates=(0.1,"], ["noise.rates='(0.1,'", RATES]),
    ([MLP, "--config.noise.rates=0.1 0.2"], ["noise.rates='0.1 0.2'", RATES]),
    ([MLP, "--config.noise.rates=((0.1,),)"], ["noise.rates=((0.1,),)", RATES]),
    ([MLP, r"--config.noise.rates='\d'"], ["noise.rates=", RATES]),
    ([MLP, "--config.noise.rates=(.1,.2,.3)"], ["3 rates for 2 sites", "(0.5,)"]),
    ([MLP, "--config.noise.rates=()"], ["0 rates for 2 sites", "hidden layers"]),
    ([CNN, "--config.noise.rates=(.1,.2)"], ["2 rates for 4 sites", "head layers"]),
    (
        [MLP, "--config.noise.kind=gaussian_dropout", "--config.noise.rates=1"],
        ["noise.rates=(1.0,)", "below 1"],
    ),
    # Learning rate and the other numbers.
    (["--config.optimizer.learning_rate=0"], ["learning_rate=0.0", LEARNING_RATE]),
    (["--config.optimizer.learning_rate=-1"], ["learning_rate=-1.0", LEARNING_RATE]),
    (["--config.optimizer.learning_rate=nan"], ["learning_rate=nan", LEARNING_RATE]),
    (["--config.optimizer.learning_rate", "-1"], ["=-1.0", LEARNING_RATE]),
    (["--config.train.batch_size=0"], ["train.batch_size=0", BATCH]),
    (["--config.train.batch_size=7.5"], ["train.batch_size='7.5'", BATCH]),
    (["--config.train.batch_size=60000"], ["batch_size=60000", "images, 55000"]),
    (
        ["--config.data.train_size=100"],
        ["train.batch_size=128", "at most", "training images, 100"],
    ),
    (["--config.train.batch_size=True"], ["train.batch_size='True'", BATCH]),
    (["--config.train.epochs=0"], ["train.epochs=0", EPOCHS]),
    (["--config.train.epochs=" + "9" * 5000], ["train.epochs='999", EPOCHS]),
    (["--config.seed=-1"], ["config.seed=-1", SEED]),
    (["--config.seed=1e3"], ["config.seed='1e3'", SEED]),
    (["--config.seed=4294967296"], ["config.seed=4294967296", SEED]),
    (["--config.seed=3.0"], ["config.seed='3.0'", SEED]),
    (["--config.regularizer.label_smoothing=1"], ["label_smoothing=1.0", "[0, 1)"]),
    (["--config.data.flip=2"], ["data.flip='2'", "must be true or false"]),
    ([CNN, "--config.model.kernel_size=4"], ["model.kernel_size=4", "odd"]),
    (["--config.model.widths=(256,0)"], ["model.widths=(256, 0)", "[1, 65536]"]),
    (["--config.model.widths=(2.5,)"], ["model.widths=(2.5,)", "whole numbers"]),
    (["--config.model.widths=256,True"], ["model.widths=(256, True)", "[1, 65536]"]),
    # Names.
    (["--config.model.name=mpl"], ["model.name='mpl'", "one of mlp, cnn, rnn"]),
    (["--config.model.name=None"], ["model.name='None'", "one of mlp, cnn, rnn"]),
    (["--config.noise.kind=dropuot"], ["noise.kind='dropuot'", "none, dropout,"]),
    (["--config.optimizer.name=adam"], ["optimizer.name='adam'", "adamw, sgd"]),
    (["--config.data.name=fashion"], ["data.name='fashion'", "fashion_mnist"]),
    (["--config.data.source_dir=/no/where"], ["source_dir='/no/where'", "directory"]),
    (["--config.plugin=no/such.py"], ["config.plugin='no/such.py'", "no such Python"]),
    (["--config.plugin=no.such"], ["config.plugin='no.such'", "no module no on Py"]),
    (["--config.plugin=None"], ["config.plugin='None'", "name of a module"]),
    (["--config.noise.kind=droput"], ["; did you mean dropout?"]),
    (["--config.noise.kind=Gaussian"], ["gaussian_dropout (a factor) or gaussian_no"]),
    (["--config.noise.kind=zzz"], ["(or a name config.plugin adds)\n"]),
    (["--config.optimizer.name=adam"], ["; did you mean adamw, which is Adam with"]),
    (["--config.optimizer.name=nesterof"], ["; did you mean nesterov?"]),
    (["--config.model.name=lstm"], ["; did you mean rnn with config.model.cell=lstm?"]),
    (["--config.noise.schedule=anneal"], ["; did you mean annealed?"]),
    (["--config.data.name=mnist"], ["; did you mean fashion_mnist?"]),
    # Unknown fields and wrong nesting.
    (["--config.noise.rate=0.5"], ["config.noise.rate ", "config.noise.rates"]),
    (["--config.optimizer.lr=1"], ["optimizer.lr ", "config.optimizer.learning_rate"]),
    (["--config.dropout.rate=0.5"], ["config.dropout.rate ", "config.noise.rates"]),
    (["--config.epochs=2"], ["config.epochs ", "config.train.epochs"]),
    (["--config.optimizer=3"], ["config.optimizer='3'", "set optimizer.name"]),
    (["--config.optimizer", "{}"], ["config.optimizer", "set optimizer.name"]),
    (["--config.seed.x=1"], ["config.seed.x ", "config.seed has no parts"]),
    (["--noconfig.seed"], ["config.seed=False", SEED]),
    (["--config.=1"], ["config. does not exist"]),
    # Fields without effect.
    (["--config.noise.rates=0.3"], ["noise.rates=(0.3,)", "noise.kind=dropout"]),
    (["--config.model.cell=gru"], ["model.cell='gru'", "model.name=rnn"]),
    (["--config.optimizer.momentum=0.5"], ["no effect", "optimizer.name=momentum"]),
    ([MLP, "--config.noise.sharing=tied"], ["noise.sharing='tied'", "model.name=rnn"]),
    # All that a flag leaves without effect, and the command that mends it.
    (
        [MLP, "--config.noise.kind=none"],
        [
            "noise.input_rate=0.1 has no effect with config.noise.kind=none; ",
            "noise.rates=(0.3,) has no effect with config.noise.kind=none; to set them",
            "--config.noise.kind=none --config.noise.input_rate=0.0 "
            "'--config.noise.rates=()'\n",
        ],
    ),
    (
        [RNN, "--config.model.name=mlp"],
        [
            "model.cell='gru' has no effect",
            "to set it back: ",
            " --config.model.cell=ls",
        ],
    ),
    (
        [CNN, "--config.model.name=mlp"],
        ["model.channels=(32, 64, 128)", "batch_norm=False; and then", "4 rates for 1"],
    ),
    # Schedules.
    (["--config.optimizer.schedule=step"], ["step_epochs=()", "increasing"]),
    (["--config.optimizer.warmup_epochs=20"], ["warmup_epochs=20.0", "epochs=20"]),
    # Config files.
    (["--config=smoke"], ["the nearest is configs/smoke.py"]),
    (["--config=mlp.py"], ["the nearest is configs/mlp.py"]),
    (["--config=configs/rates.py"], ["the nearest is configs/sweeps/rates.py"]),
    (["--config=configs/mpl.py"], ["'configs/mpl.py'", "configs/mlp.py"]),
    (["--config=no/where.py"], ["'no/where.py'", "no config files there"]),
    (["--config=configs"], ["configs is a directory"]),
    (["--config="], ["directory"]),
    (["--config"], ["--config needs a value"]),
    (["--config={tmp}/syntax.py"], ["syntax.py, line 2", "SyntaxError"]),
    (["--config={tmp}/empty.py"], ["empty.py has no function get_config()"]),
    (["--config={tmp}/raises.py"], ["raises.py, line 3", "ValueError: x y"]),
    (["--config={tmp}/exits.py"], ["exits.py, line 1", "SystemExit"]),
    (["--config={tmp}/none.py"], ["none.py returned None", "defaults()"]),
    (["--config={tmp}/partial.py"], ["config.plugin is missing", "defaults()"]),
    (["--config={tmp}/added.py"], ["config.noise.rate ", "config.noise.rates"]),
    (["--config={tmp}/range.py"], ["train.epochs=0", EPOCHS]),
    (["--config={tmp}/locked.py"], ["locked.py, line 4", "rates"]),
    (["--config={tmp}/typed.py"], ["typed.py, line 4", "TypeError"]),
    (["--config={tmp}/binary.py"], ["binary.py", "does not run"]),
    # Flags.
    (["junk"], ["'junk' belongs to no flag"]),
    (["--", "junk"], ["'--' belongs to no flag"]),
    (["--seed=3"], ["--seed is no flag", "--config.seed"]),
    (["--workdri=a"], ["--workdri is no flag", "--workdir"]),
    (["--confg.seed=3"], ["--confg.seed is no flag", "--config.seed"]),
    (["--device=gup"], ["--device='gup'", "auto|cpu|gpu|tpu>; did you mean gpu?"]),
    (["--device"], ["--device needs a value"]),
    (["--workdir="], ["--workdir is missing", "--workdir=runs/a"]),
    (["--workdir={tmp}/empty.py"], ["--workdir=", "empty.py'", "it is a file"]),
    (["--workdir={tmp}/empty.py/run"], ["--workdir=", "Not a directory"]),
    (
        ["--workdir=/proc/none"],
        ["--workdir='/proc/none' cannot be written", "another place"],
    ),
    (["--workdir=" + "w" * 300], ["--workdir='www", "File name too long"]),
    (["--config=" + "c" * 300], ["config file 'ccc", "File name too long"]),
    (["--config.data.name=" + "d" * 300], ["data.name='ddd", "File name too long"]),
    (["--config.data.name=a\0b"], [r"data.name='a\x00b'", "it is no path"]),
    (["--noconfig.data.flip=true"], ["--noconfig.data.flip='true'", "no value"]),
]

FILES = {
    "syntax.py": "\ndef get_config(:\n",
    "empty.py": "",
    "raises.py": "def get_config():\n\n    raise ValueError('x\\ny')\n",
    "exits.py": "raise SystemExit('enough\\nof this')\n",
    "none.py": "def get_config():\n    pass\n",
    "partial.py": "from ml_collections import ConfigDict\n"
    "def get_config():\n    return ConfigDict({'seed': 1})\n",
    "added.py": "from dropout_jax.config import defaults\n"
    "def get_config():\n    config = defaults().unlock()\n"
    "    config.noise.rate = 0.5\n    return config\n",
    "range.py": "from dropout_jax.config import defaults\n"
    "def get_config():\n    config = defaults()\n"
    "    config.train.epochs = 0\n    return config\n",
    "locked.py": "from dropout_jax.config import defaults\n"
    "def get_config():\n    config = defaults()\n"
    "    config.noise.rate = 0.5\n    return config\n",
    "typed.py": "from dropout_jax.config import defaults\n"
    "def get_config():\n    config = defaults()\n"
    "    config.noise.rates = 0.5\n    return config\n",
}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def broken_files(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("configs")
    for name, text in FILES.items():
        (directory / name).write_text(text)
    (directory / "binary.py").write_bytes(b"\x00\xff\xfe")
    return directory


def answer(args, run) -> int:
    return command_line.main(
        run,
        description="Trains.",
        default_config="configs/default.py",
        argv=["train.py", *args],
    )


def never(flag_values):
    pytest.fail(f"a wrong command line reached the run: {flag_values.config}")


@pytest.mark.parametrize(("args", "says"), WRONG, ids=[str(a)[:50] for a, _ in WRONG])
def test_wrong_input_is_answered_in_one_helpful_line(
    args, says, tmp_path, broken_files, capsys
):
    run_directory = tmp_path / "run"
    given = [arg.replace("{tmp}", str(broken_files)) for arg in args]
    assert answer([f"--workdir={run_directory}", *given], never) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1 and err.endswith("\n")
    for text in says:
        assert text in err
    assert "Traceback" not in err
    assert not run_directory.exists()


def test_warnings_about_the_source_of_a_tuple_stay_unsaid(tmp_path):
    with warnings.catch_warnings(record=True, action="always") as seen:
        assert (
            answer([f"--workdir={tmp_path}", r"--config.noise.rates='\d'"], never) == 2
        )
    assert not seen


def test_the_table_is_long_enough():
    assert len(WRONG) >= 60
