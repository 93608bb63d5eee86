# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test check lint format image-test clean

run: $(VENV)/.run  ## install and serve the dashboard on $(PORT)
	$(BIN)/python -m gradnorm dashboard --port $(PORT) --open

test: lint $(VENV)/.browser  ## everything: lint, types, layers, all tests, the browser included
	$(BIN)/pytest -q -m "not slow and not browser" -n 2
	$(BIN)/pytest -q -m "slow or browser"

check: lint  ## lint, types, layers and the fast tests; under 90 s
	$(BIN)/pytest -q -m "not slow and not browser" -n 2

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## put the sources in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

image-test: $(VENV)/.run  ## build the container image for real, start it and ask its health
	$(BIN)/python tools/image_test.py

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.made requirements.txt pyproject.toml
	$(BIN)/pip install -q $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements.txt
	$(BIN)/pip install -q --no-deps -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt requirements-bench.txt
	$(BIN)/pip install -q -r requirements-dev.txt
	$(BIN)/pip install -q --no-deps -r requirements-bench.txt
	touch $@

# Debian's Chromium: no other browser build can be had everywhere.
$(VENV)/.browser: $(VENV)/.dev
	tools/install_browser.sh
	touch $@
