# Every target sets up what it needs; all of them work from any folder, spaces in its name included.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow lint format types ui train-embedded bench faults clean distclean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "vidcap needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "this python3 cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(BIN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# Beside the environment and not in it: a torchvision that was built for another torch breaks every import of
	@# transformers. The tests of the families for videos add this folder to their own process.
	$(BIN) -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps --upgrade \
		--target $(VENV)/vlm torchvision num2words docopt
	@touch $(INSTALLED)

install: $(INSTALLED) ## Create the environment in .venv

demo: $(INSTALLED) ## Caption a small collection and show what came out
	$(BIN) -m vidcap_assets.cli run demo

test: $(INSTALLED) ## Run the tests
	OMP_NUM_THREADS=1 $(BIN) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-slow: $(INSTALLED) ## Run the tests that take minutes: a whole `dagster dev`, larger sweeps
	$(BIN) -m pytest -m slow

faults: $(INSTALLED) ## Kill, damage and fill up for an hour (SECONDS=600 for ten minutes, SEED=1000 for other faults)
	nice $(BIN) -W ignore -m tests.faults.campaign --seconds $(or $(SECONDS),3600) --seed $(or $(SEED),0)

lint: $(INSTALLED) ## Check style and format
	$(BIN) -m ruff check .
	$(BIN) -m ruff format --check .

format: $(INSTALLED) ## Format the code
	$(BIN) -m ruff check --fix .
	$(BIN) -m ruff format .

types: $(INSTALLED) ## Check types
	$(BIN) -m mypy

ui: $(INSTALLED) ## Open the Dagster UI on http://127.0.0.1:3000
	$(BIN) -m dagster dev -w workspace.yaml -h 127.0.0.1 -p 3000

train-embedded: $(INSTALLED) ## Train the embedded checkpoints again (half an hour on two cores)
	$(BIN) -m tools.train_embedded

bench: $(INSTALLED) ## Run the benchmark of the annotation loop (others: see benchmarks/)
	PYTHONPATH=. $(BIN) benchmarks/overlap.py

clean: ## Remove caches and build files; keeps the environment, your results and the run history
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## Remove the environment too
	rm -rf $(VENV)
