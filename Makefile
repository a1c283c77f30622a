# make run: one training step, co-simulated. make test: all tests. Both set up what they need first.
.DEFAULT_GOAL := help
BIN := .venv/bin
# A file's tests stay together: they share fixtures and builds.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile
C_SOURCES := $(wildcard firmware/*.[ch] pyhost/targets/*/*.[ch] soc/*.[ch]pp tests/*/*.c tests/*/*.cpp scripts/bench/*.c)

.PHONY: help run test check lint clean

help:
	@echo "make run     set up, then co-simulate one training step and show the result"
	@echo "make test    set up, then run all tests"
	@echo "make check   set up, then run the tests that build no hardware (under a minute)"
	@echo "make lint    set up, then check style, types and the generated Verilog"
	@echo "make clean   remove the environment and everything generated here"

run: .venv/ready
	$(BIN)/floatsoc run

test: .venv/ready-test
	$(BIN)/python -m pytest $(PARALLEL)

check: .venv/ready-test
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not hardware"

lint: .venv/ready-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(C_SOURCES)
	$(BIN)/python -m accel_rtl.lint
	$(BIN)/python scripts/lint_verilog.py

clean:
	rm -rf .venv runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of packages: ready, ready-test, ready-lint.
.venv/ready: pyproject.toml scripts/constraints.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh
	@touch $@

.venv/ready-%: .venv/ready
	@PYTHON="$(PYTHON)" sh scripts/setup.sh $*
	@touch $@
