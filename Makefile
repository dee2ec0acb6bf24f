# Everything a developer runs. On a new machine: Python >= 3.11 with venv, GNU make, bash.
# The first target that needs it creates .venv and installs; that happens again only when
# pyproject.toml or constraints.txt change.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV ?= .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
MEDIAPIPE := .venv-mediapipe
RAY := .venv-ray
UI := .venv-ui
SITE := .venv-site
SAMPLE := signgen/assets/sample/demo
PIP_FLAGS := -m pip install --disable-pip-version-check --quiet -c constraints.txt
PIP := $(BIN)/python $(PIP_FLAGS)
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest
JOBS ?= 2

# Nothing here may download weights: a missing hub id fails at once instead of after retries.
export HF_HUB_OFFLINE := 1
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help setup demo test check lint fmt type arch smoke test-gpu test-mediapipe test-mmpose test-ray \
	ui test-ui site bench pictures \
	clean sample pose-mmpose pose-mediapipe

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

# ----- set-up ------------------------------------------------------------------------------------

$(BIN)/python:
	@python=""; \
	for candidate in $(PYTHON) python3.11 python3; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "signgen needs Python 3.11 or newer; neither python3.11 nor python3 is. Install it, or name one: make PYTHON=/path/to/python" >&2; \
	  exit 1; fi; \
	echo "Creating $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "Python's venv module is missing or broken; on Debian and Ubuntu install python3-venv." >&2; exit 1; }

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing signgen and what it needs (about 1.5 GB, a minute or two)"
	@$(PIP) torch -e .
	@touch $@

$(DEV): $(CORE)
	@echo "Installing the tools for tests and checks"
	@$(PIP) torch -e ".[dev]"
	@touch $@

setup: $(DEV) ## Create .venv and install signgen with the development tools

# ----- the two commands ----------------------------------------------------------------------------

demo: $(CORE) ## Render two bundled signers to demo.mp4 and demo.other.mp4
	@for one in .other ""; do folder=$(SAMPLE)/$${one#.}; \
	  $(BIN)/signgen render --source $$folder/source.png --source-poses $$folder/poses.json --poses $$folder/poses.json \
	    --out demo$$one.mp4 --compare || exit; done
	@echo "Results:                      $(CURDIR)/demo.mp4, demo.other.mp4"
	@echo "Source, pose, result:         $(CURDIR)/demo.compare.mp4"
	@echo "Contact sheet:                $(CURDIR)/demo.sheet.png"

test: $(DEV) ## Run the tests (CPU, offline)
	$(PYTEST) -n $(JOBS)

# ----- checks ------------------------------------------------------------------------------------

check: lint type arch test smoke ## Everything: lint, types, layers, tests, smoke (CI runs this)

lint: $(DEV) ## Style and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

fmt: $(DEV) ## Format, and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(DEV) ## Types (mypy, strict)
	$(BIN)/mypy

arch: $(DEV) ## Layers (import-linter)
	$(BIN)/lint-imports

smoke: $(DEV) ## Train 4 steps of each stage, resume, render, evaluate: tiny, CPU
	SIGNGEN=$(CURDIR)/$(BIN)/signgen OMP_NUM_THREADS=$(JOBS) bash tools/smoke.sh

test-gpu: $(DEV) ## Tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu

# An environment of its own, which sees what $(VENV) has and adds MediaPipe with its old protobuf.
$(MEDIAPIPE)/.installed: requirements/pose-mediapipe.txt $(DEV)
	@echo "Installing MediaPipe into $(MEDIAPIPE)"
	@$(BIN)/python -m venv --clear $(MEDIAPIPE)
	@$(BIN)/python -c 'import sysconfig as s; p = s.get_path("purelib"); print(f"import site; site.addsitedir({p!r})")' \
	  > "$$($(MEDIAPIPE)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/core.pth"
	@$(MEDIAPIPE)/bin/python $(PIP_FLAGS) -r requirements/pose-mediapipe.txt
	@$(MEDIAPIPE)/bin/python $(PIP_FLAGS) --no-deps mediapipe==0.10.21
	@touch $@

test-mediapipe: $(MEDIAPIPE)/.installed ## Tests that need MediaPipe, in an environment of their own
	OMP_NUM_THREADS=1 $(MEDIAPIPE)/bin/python -m pytest tests/pose/estimators/test_mediapipe.py tests/pose/estimators/test_hand_patches.py

# Another environment that sees what $(VENV) has, and adds Ray.
$(RAY)/.installed: pyproject.toml constraints.txt $(DEV)
	@echo "Installing Ray into $(RAY)"
	@$(BIN)/python -m venv --clear $(RAY)
	@$(BIN)/python -c 'import sysconfig as s; p = s.get_path("purelib"); print(f"import site; site.addsitedir({p!r})")' \
	  > "$$($(RAY)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/core.pth"
	@$(RAY)/bin/python $(PIP_FLAGS) ray
	@touch $@

test-ray: $(RAY)/.installed ## Tests that need Ray, in an environment of their own
	OMP_NUM_THREADS=1 $(RAY)/bin/python -m pytest tests/rendering/test_cluster.py

# The same for Gradio, which needs an older Pillow, and what only its tests need.
$(UI)/.installed: requirements/ui.txt $(DEV)
	@echo "Installing the page's packages into $(UI)"
	@$(BIN)/python -m venv --clear $(UI)
	@$(BIN)/python -c 'import sysconfig as s; p = s.get_path("purelib"); print(f"import site; site.addsitedir({p!r})")' \
	  > "$$($(UI)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/core.pth"
	@$(UI)/bin/python -m pip install --disable-pip-version-check --quiet -r requirements/ui.txt
	@touch $@

ui: $(UI)/.installed ## The page in the browser (signgen ui), in an environment of its own
	$(UI)/bin/python -m signgen ui

test-ui: $(UI)/.installed ## Tests of page and study (need Chromium), signatures, notebook
	OMP_NUM_THREADS=1 $(UI)/bin/python -m pytest tests/ui tests/docs tests/evaluation/study \
	  tests/rendering/provenance tests/rendering/test_jobs.py

# The site reads docstrings without running the package, so its environment is small.
$(SITE)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what makes the site into $(SITE)"
	@$(BIN)/python -m venv --clear $(SITE)
	@$(SITE)/bin/python $(PIP_FLAGS) mkdocs-material "mkdocstrings[python]" ruff
	@touch $@

site: $(SITE)/.installed ## The documents as a site, in site/; every broken link or anchor is an error
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --strict
	@echo "The site:                     $(CURDIR)/site/index.html"

bench: $(DEV) ## Seconds per frame of the bundled model on this machine
	@mkdir -p runs/bench
	@start=$$(date +%s.%N); \
	$(BIN)/signgen render --source $(SAMPLE)/source.png --poses $(SAMPLE)/poses.json \
	  --out runs/bench/bench.mp4 --no-compare --json; \
	end=$$(date +%s.%N); \
	awk -v a="$$start" -v b="$$end" 'BEGIN { printf "%.1f s in all, start of Python included\n", b - a }'

sample: demo ## The same as demo

pictures: demo ## The picture of the README, of the demo's results
	$(BIN)/python tools/make_pictures.py demo.compare.mp4 demo.other.compare.mp4 --out docs/pictures/demo.webp

# ----- pose estimators (optional) ------------------------------------------------------------------

pose-mediapipe: $(CORE) ## Install MediaPipe (weights are in its wheel)
	$(PIP) -r requirements/pose-mediapipe.txt
	$(PIP) --no-deps mediapipe==0.10.21
	@$(BIN)/python -c 'from mediapipe import solutions; print("MediaPipe works: signgen pose extract clip.mp4 -o clip.pose")'

pose-mmpose: $(CORE) ## Install MMPose (needs a C compiler)
	PYTHON=$(BIN)/python bash tools/install_mmpose.sh

$(VENV)/.installed-mmpose: $(CORE) tools/install_mmpose.sh requirements/pose-mmpose.txt
	@echo "Installing MMPose into $(VENV)"
	@PYTHON=$(BIN)/python PIP_QUIET=1 bash tools/install_mmpose.sh
	@$(PIP) pytest
	@touch $@

test-mmpose: ## Compare our HRNet with MMPose itself, in an environment of its own (1.7 GB)
	@$(MAKE) --no-print-directory VENV=.venv-mmpose .venv-mmpose/.installed-mmpose
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 .venv-mmpose/bin/python -m pytest \
	  tests/pose/estimators/test_mmpose_parity.py

clean: ## Remove caches and demo output; keeps .venv and runs/
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist site demo*.mp4 demo*.png demo*.provenance.json demo*.c2pa runs/bench
	find signgen tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
