# `make help` lists the targets. Everything is made below this folder: .venv, node_modules, var.
PYTHON ?= python3
VENV := .venv
comma := ,
BIN := $(VENV)/bin
EXTRAS := $(if $(SERVE_ONLY),assets$(comma)postgres,federation$(comma)assets$(comma)postgres)
VENDOR := app/static/vendor
PYTEST = $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
PROCESSES = 2
STAMP := $(VENV)/.installed$(if $(SERVE_ONLY),-serve)

.DEFAULT_GOAL := help
.PHONY: help install dev assets run serve-dev test unit soak coverage check hooks bench evidence docs wheel serve-image federation-image clean

help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  SERVE_ONLY=1       leave training and federation out"
	@echo "  TORCH_INDEX=URL    take torch from an index of CPU wheels (0.2 GB instead of up to 5 GB)"

install: $(STAMP) assets ## The environment in .venv with training, federation and browser assets

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
ifndef SERVE_ONLY
	@echo "Installing Python packages. With training included this downloads about 1 GB with a CPU torch,"
	@echo "up to 5 GB with the CUDA build that Linux gets by default. SERVE_ONLY=1 or TORCH_INDEX=URL avoid that."
ifdef TORCH_INDEX
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --index-url $(TORCH_INDEX) torch
endif
endif
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $@

dev: install $(VENV)/.dev ## The environment plus test tools

$(VENV)/.dev: pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

assets: $(VENDOR)/.done ## Browser assets from package-lock.json into app/static/vendor

$(VENDOR)/.done: package.json package-lock.json | $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --ignore-scripts --silent
	@mkdir -p $(VENDOR)
	cp node_modules/htmx.org/dist/htmx.min.js node_modules/uplot/dist/uPlot.iife.min.js node_modules/uplot/dist/uPlot.min.css node_modules/@picocss/pico/css/pico.min.css $(VENDOR)/
	@touch $@

run: install ## Set everything up and serve on http://127.0.0.1:8080
	$(BIN)/fetal-health serve --prepare

serve-dev: install ## Serve and reload when a file changes (same home as make run)
	$(BIN)/fetal-health migrate
	$(BIN)/uvicorn app.main:create_app --factory --reload --reload-dir app --reload-dir models --reload-dir federated --reload-dir templates --reload-include '*.html' --port 8080

test: check ## Set everything up and pass the tests; T="path -k word" passes paths and options to pytest
	$(PYTEST) -m "not soak" $(T)

unit: dev ## The fast tests: nothing slow, no sockets; T="..." as for test
	$(PYTEST) -m "not slow and not network and not soak" $(T)

# They wait for other processes most of the time.
soak: PROCESSES = 3
soak: dev ## What kills, loads or starts other servers; T="..." as for test
	$(PYTEST) -m soak $(T)

coverage: dev ## Lines and branches that make test reaches
	$(PYTEST) -m "not soak" --cov --cov-report=term $(T)

check: dev ## Only lint, types and spelling
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/typos

hooks: dev ## Run lint, types and spelling before every commit
	$(BIN)/pre-commit install

bench: dev ## Latency, memory, start-up and federation speed, as ratios side by side
	$(BIN)/python -m benchmarks

evidence: dev ## Write docs/evidence from the stored out-of-fold predictions (some minutes)
	$(BIN)/python -m studies write
	$(BIN)/python -m studies feature-vector docs/reference/ctg-features.md

docs: dev ## Write the reference pages from the code and build the documentation into site/
	PYTHONPATH=. $(BIN)/python docs/generate.py
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -d build/doctrees docs site

wheel: $(STAMP) assets ## A wheel with pages, assets and the shipped bundle
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .

serve-image: ## The serving image's steps into IMAGE_ROOT (the Dockerfile runs this)
	$(PYTHON) -m venv $(IMAGE_ROOT)/venv
	$(IMAGE_ROOT)/venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt "$(WHEEL)[postgres]"
	# The same XGBoost without its CUDA build, which is 0.6 GB larger and not used to serve.
	$(IMAGE_ROOT)/venv/bin/pip uninstall --quiet --disable-pip-version-check --yes xgboost nvidia-nccl-cu12
	$(IMAGE_ROOT)/venv/bin/pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt xgboost-cpu
	# Tests of others, ONNX Runtime's library for C, and what installs: nothing that serves needs them.
	find $(IMAGE_ROOT)/venv/lib -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
	rm -f $(IMAGE_ROOT)/venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.*
	$(IMAGE_ROOT)/venv/bin/python -m pip uninstall --quiet --disable-pip-version-check --yes setuptools pip

federation-image: ## The federation image's steps into IMAGE_ROOT
	$(PYTHON) -m venv $(IMAGE_ROOT)/venv
	$(if $(TORCH_INDEX),$(IMAGE_ROOT)/venv/bin/pip install --quiet -c constraints.txt --index-url $(TORCH_INDEX) torch)
	$(IMAGE_ROOT)/venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt "$(WHEEL)[postgres,federation]"

clean: ## Remove what make has made (not var/, which holds your records)
	rm -rf $(VENV) node_modules $(VENDOR) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache
