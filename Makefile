# Two commands: `make book` and `make test`. Paths are relative, so a clone may lie in a folder with spaces.
PYTHON ?= python3
PROFILE ?= quick
JOBS ?= 2
PORT ?= 8000

# The dearest pages run once in the tests, in the smoke book of tests/test_book.py; `pytest --nbmake book` runs them all.
ONCE := foundations/world stations/compare stations/explain stations/cost nudging/train nudging/long_term \
	nudging/assimilation fusion/data fusion/gapfill fusion/estimate forecast/train forecast/skill forecast/maps \
	correction/data correction/upscale correction/improve correction/interpret nudging/short_term synthesis/claims

PY := .venv/bin/python
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help book test serve lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile
	@echo "Variables: PYTHON=$(PYTHON) PROFILE=$(PROFILE) (smoke, quick, full) JOBS=$(JOBS) PORT=$(PORT)"

book: $(READY) ## run what changed, render the book into _build/html and print where it is
	$(PY) -m smlib build --profile $(PROFILE) --jobs $(JOBS)

test: lint ## run every check: style, unit tests, all notebooks, the built book in a browser
	$(PY) -m pytest -n $(JOBS) --dist loadfile --max-worker-restart=0 --nbmake --nbmake-timeout=600 \
		$(ONCE:%=--ignore=book/%.ipynb) tests book

serve: book ## serve the book on this machine, http://127.0.0.1:8000 unless PORT is given
	$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lint: $(READY) ## check the style of code and notebooks
	$(PY) -m ruff check .

clean: ## delete the environment, the rendered book and all runs but those of the full profile
	rm -rf .venv _build runs/smoke runs/quick runs/adhoc runs/checkpoints .pytest_cache .ruff_cache *.egg-info

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --disable-pip-version-check --quiet -r requirements.txt -e .
	@touch $@
