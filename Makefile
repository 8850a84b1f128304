# Everything a stranger needs. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# `promise`, which TFDS needs, comes as source: it is built with the setuptools that
# the first lock pins, never with one that pip would fetch unseen.
LOCKED := $(PIP) --require-hashes --no-build-isolation

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-search setup-ray setup-bench setup-browser setup-qemu data \
  compare results results-mlp results-cnn results-rnn results-far results-small_data \
  results-course results-course_5 results-rnn_learning_rate answer publish search search-mlp search-cnn search-rnn pictures screenshot \
  evidence evidence-quick notebook test \
  test-long test-bits test-peers test-ray test-next torture mutations audit lint bench lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.core  ## virtual environment from the lock
setup-dev: $(VENV)/.dev  ## the same with the tools for tests and lint

$(VENV)/.core: requirements.lock requirements-build.lock pyproject.toml
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(LOCKED) -r requirements-build.lock
	@$(LOCKED) -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements-dev.lock
	@$(LOCKED) -r requirements-dev.lock
	@touch $@

setup-search: $(VENV)/.core  ## Optuna, for adaptive searches
	@$(LOCKED) -r requirements-search.lock

setup-ray: $(VENV)/.core  ## Ray, for studies on several machines
	@$(LOCKED) -r requirements-ray.lock

setup-bench: $(VENV)/.core  ## PyTorch (CPU) and Keras, the peers of `make bench` and test-peers
	@$(PIP) torch==2.13.0 keras==3.15.1

CHROMIUM := { command -v chromium || command -v chromium-browser; }
setup-browser:  ## headless Chromium for the test of the report page (Debian, root)
	@$(CHROMIUM) >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null; } || \
	  { echo 'error: no chromium: install it, or leave its test out: make test WITHOUT=browser'; exit 2; }
	@$(CHROMIUM) >/dev/null || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }
	@$$($(CHROMIUM)) --version

setup-qemu:  ## emulator of other processors for `make test-bits` (Debian, root)
	@command -v qemu-x86_64 >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null; } || \
	  { echo 'error: no qemu-x86_64: install it (Debian: qemu-user)'; exit 2; }
	@command -v qemu-x86_64 >/dev/null || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends qemu-user >/dev/null; }
	@qemu-x86_64 --version | head -n 1

data: setup  ## fetch and verify Fashion-MNIST; say where it came from
	@$(BIN)/python -m dropout_jax.data

SWEEPS := $(BIN)/python -m dropout_jax.sweeps
compare: setup data  ## the comparison in its short form: minutes
	$(SWEEPS) run --config=configs/compare.py:mlp --config.train.epochs=5 --study=runs/compare

# The published studies: their finished trials are in the committed ledgers, so that
# each target only runs what is missing, in blocks of MINUTES, and reports.
MINUTES ?= 60
results: results-mlp results-cnn results-rnn results-rnn_learning_rate results-far results-small_data results-course results-course_5 publish  ## what README shows (hours; resumable)

results-cnn results-rnn: SEEDS := 5
results-mlp: SEEDS := 10
results-mlp results-cnn results-rnn: results-%: setup data
	$(SWEEPS) run --config=configs/compare.py:$* --seeds=$(SEEDS) --minutes=$(MINUTES) --ledger=results/compare_$*.jsonl --study=runs/results/$*
results-small_data results-rnn_learning_rate results-course results-course_5: SEEDS := 10
results-far: SEEDS := 1  # its settings name their seeds
results-course results-course_5: LEDGER := course
results-course_5: CONFIG := course.py:5
results-far results-small_data results-rnn_learning_rate results-course results-course_5: results-%: setup data
	$(SWEEPS) run --config=configs/sweeps/$(or $(CONFIG),$*.py) --seeds=$(SEEDS) --minutes=$(MINUTES) --ledger=results/$(or $(LEDGER),$*).jsonl --study=runs/results/$*

answer: setup data  ## the comparison of docs/protocol.md: a block of MINUTES, then its tables and figures
	$(SWEEPS) protocol --config=configs/answer.py --minutes=$(MINUTES) --ledgers=results/answer --study=runs/answer
	$(BIN)/python -m dropout_jax.reports.answer --config=configs/answer.py --ledgers=results/answer --out=docs/results/answer --page=docs/answer.md

publish: setup  ## write the results into README and docs/results.md from the ledgers
	$(BIN)/python experiments/publish.py

search: search-mlp search-cnn search-rnn  ## choose hyperparameters on validation (hours; resumable)

search-mlp: TRIALS := 10
search-cnn search-rnn: TRIALS := 8
search-mlp search-cnn search-rnn: search-%: setup-search data
	$(SWEEPS) search --config=configs/compare.py:$* --trials=$(TRIALS) --minutes=$(MINUTES) --ledger=results/compare_$*_search.jsonl --study=runs/search/$*
	cp runs/search/$*/winners.json results/compare_$*_winners.json

pictures: setup  ## draw the pictures of docs/transforms.md and docs/nn.md
	$(BIN)/python experiments/draw_transforms.py

screenshot: results-mlp setup-browser  ## README's picture of the report page
	$$($(CHROMIUM)) --headless --no-sandbox --hide-scrollbars --window-size=1100,1360 \
	  --virtual-time-budget=20000 --screenshot=docs/results/page.png \
	  file://$(CURDIR)/runs/results/mlp/report/report.html

evidence: setup-dev data  ## run every experiment on the texts' claims (hours; resumable), then the pages that rest on them
	-$(BIN)/python -m experiments.run all  # the pages say what does not hold
	$(BIN)/python -m experiments.claims.page
	$(BIN)/python -m experiments.claims.site
	$(BIN)/python -m experiments.reproductions
	$(BIN)/python -m experiments.budget

evidence-quick: setup-dev data  ## the same in quick form, into build/evidence (minutes)
	$(BIN)/python -m experiments.run all --quick

notebook: setup-dev data  ## run examples/quickstart.ipynb and keep what it shows
	$(BIN)/jupyter-execute --inplace examples/quickstart.ipynb

test: setup-dev $(if $(filter browser,$(WITHOUT)),,setup-browser) data  ## all tests; under ten minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/sweeps tests/reports tests $(if $(WITHOUT),-m "not peers and not ray and not torture and not long and not emulated$(foreach mark,$(WITHOUT), and not $(mark))")

test-long: setup-dev setup-browser data  ## tests of the slow kind: the notebook, a thousand runs, four devices
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long

test-peers: setup-dev setup-bench  ## moments and masks of other libraries
	$(BIN)/python -m pytest -m peers tests/peers

test-ray: setup-dev setup-ray  ## studies on Ray clusters of this machine, nodes killed
	$(BIN)/python -m pytest -m ray tests/sweeps

AMOUNT ?= full
torture: setup-dev data  ## real faults by the hundred, into docs/reliability.md (root); AMOUNT=quick: a tenth of it
	AMOUNT=$(AMOUNT) $(BIN)/python -m pytest -m torture -rA tests/torture

test-bits: setup-dev setup-qemu  ## the same bits on emulated processors; AMOUNT=quick: one case, every day another
	AMOUNT=$(AMOUNT) $(BIN)/python -m pytest -m emulated tests/bits

NEXT := build/next/bin/python
PYTHON_NEXT ?= python3.12
test-next: setup-browser data  ## all tests on Python 3.12 with the newest jax and flax
	@$(PYTHON_NEXT) -m venv build/next
	@$(NEXT) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	@$(NEXT) -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation -r requirements-next.lock
	@$(NEXT) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(NEXT) -m pytest -n 2 --dist loadfile
	$(NEXT) -m pytest -m torture -rA tests/torture/test_golden.py

mutations: setup-dev  ## plant mistakes one by one; docs/mutations.md says which test noticed
	$(BIN)/python tests/mutations/run.py

audit:  ## known weaknesses of the pinned packages: pip-audit asks its public database
	@$(PYTHON) -m venv build/audit && build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	@for lock in requirements*.lock; do echo "$$lock"; build/audit/bin/pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; done

lint: setup-dev  ## ruff and basedpyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

bench: setup data setup-bench  ## speed and memory beside PyTorch, Flax and Keras, into benchmarks/results/ (about an hour)
	$(BIN)/python -m benchmarks

lock:  ## make the locks anew (pip-tools)
	$(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet pip-tools
	echo 'setuptools<82' | build/lock/bin/pip-compile --quiet $(COMPILE) --no-annotate -o requirements-build.lock -
	build/lock/bin/pip-compile --quiet $(COMPILE) -o requirements.lock pyproject.toml
	cp requirements.lock requirements-search.lock  # what is pinned there stays
	build/lock/bin/pip-compile --quiet $(COMPILE) --extra search -o requirements-search.lock pyproject.toml
	cp requirements-search.lock requirements-dev.lock
	build/lock/bin/pip-compile --quiet $(COMPILE) --extra dev -o requirements-dev.lock pyproject.toml
	cp requirements-dev.lock requirements-ray.lock
	build/lock/bin/pip-compile --quiet $(COMPILE) --extra ray -o requirements-ray.lock pyproject.toml
	$(PYTHON_NEXT) -m venv build/lock-next && build/lock-next/bin/python -m pip install --quiet pip-tools
	build/lock-next/bin/pip-compile --quiet $(COMPILE) --upgrade --extra dev -o requirements-next.lock pyproject.toml
COMPILE := --generate-hashes --no-emit-index-url --no-emit-find-links \
  --no-emit-trusted-host --strip-extras --allow-unsafe --no-header

clean:  ## remove the virtual environment, caches and runs (results/ stays)
	rm -rf $(VENV) build runs .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
