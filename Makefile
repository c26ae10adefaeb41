# `make demo` and `make test` do everything on a fresh machine that has Python 3.11 and a package index.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

# Larger data sets are optional; they are found through this variable alone.
ifeq ($(strip $(IONSCOUT_DATA_DIR)),)
ifneq ($(wildcard ../shared/data),)
export IONSCOUT_DATA_DIR := $(abspath ../shared/data)
endif
endif
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := True

.PHONY: setup test lint demo serve rehearsal

setup: $(STAMP)

# torch goes first and alone: with it in place the resolver keeps a CPU build instead of gigabytes of CUDA.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ionscout needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "building $(VENV) (a few minutes, about 2 GB, once)"
	@$(BIN)/pip install -qq --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	@$(BIN)/pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

test: setup
	$(BIN)/pytest -n 2 --dist loadfile -rs

# mypy cannot see an editable install whose packages are mapped one by one, so it gets a folder of links.
lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p .typecheck/ionscout
	@for room in datasets models training serving; do ln -sfn ../../$$room .typecheck/ionscout/$$room; done
	MYPYPATH=.typecheck $(BIN)/mypy --namespace-packages --explicit-package-bases -p ionscout

demo: setup
	$(BIN)/python -m ionscout.serving.demo

serve: setup
	$(BIN)/ionscout serve

# A retraining from the first champion to the rollback, with kills and bad challengers; embedded data, a few minutes.
rehearsal: setup
	$(BIN)/ionscout benchmark retraining
