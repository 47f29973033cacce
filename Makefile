# Two commands matter: `make demo` and `make test`. Both set up what they need.
SHELL := /bin/bash
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR)

.PHONY: setup demo test test-fast test-long lint up down clean

setup:
	@scripts/setup.sh

demo: setup
	@.venv/bin/supplyline demo

up: setup
	@.venv/bin/supplyline up

down:
	@test ! -x .venv/bin/supplyline || .venv/bin/supplyline down

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test-fast: setup lint
	$(PY) -m pytest tests/unit tests/corpora

test: setup lint
	$(PY) -m pytest -m "not long"

test-long: setup lint
	scripts/setup.sh airflow2
	$(PY) -m pytest

clean: down
	rm -rf .venv .venv-airflow .venv-services .venv-airflow2 .run
