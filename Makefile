# Needs Python 3.11 or later with venv, and make; a real Kafka also needs Java 17 and Maven.

PYTHON ?= $(firstword $(foreach python,python3.11 python3,$(shell \
	$(python) -c 'import sys; sys.version_info >= (3, 11) and print("$(python)")' 2>/dev/null)))

PINS := deploy/requirements
# Each is made after its step is done, so an interrupted set-up is done again.
PINNED := .venv/.pinned
READY := .venv/.ready
PIP := python -m pip install --quiet --disable-pip-version-check
BROKER = $(if $(PYTHON),$(PYTHON),$(error Python 3.11 or later is needed)) deploy/kafka/broker.py

.DEFAULT_GOAL := help
.PHONY: help setup run test tools fuzz sweep bench bench-growth bench-pages audit lint types format kafka kafka-stop wheel lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '%-12s %s\n' "$$name" "$$what"; done

setup: $(READY)  ## make .venv from the pinned versions

# An old environment is thrown away: pip would leave behind what is no longer pinned.
$(PINNED): $(PINS)/dev.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	.venv/bin/$(PIP) --require-hashes -r $(PINS)/dev.txt
	@touch $@

$(READY): $(PINNED) pyproject.toml
	.venv/bin/$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

run: $(READY)  ## start the gateway on 127.0.0.1:8080
	@exec .venv/bin/gateway serve

# More than cores, since those of real processes wait most of the time; whole files, since a file shares what it
# started; the long ones first.
TEST_PROCESSES ?= 3
test: $(READY)  ## run every test
	.venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist loadfile tests/integration tests

# Never fails: the tests that would use it are skipped without it, and say so.
tools:  ## install the real Alertmanager that a test starts, where apt can
	@command -v prometheus-alertmanager >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq \
			&& apt-get install -qq --no-install-recommends prometheus-alertmanager; } >/dev/null 2>&1 \
		|| echo "no prometheus-alertmanager here, and apt cannot install it: its tests are skipped" >&2

FUZZ_EXAMPLES ?= 20000
fuzz: $(READY)  ## post mutated events and requests for longer
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) .venv/bin/python -m pytest tests/test_fuzz.py tests/test_fuzz_wire.py tests/test_fuzz_contract.py tests/test_schemas.py --timeout 3600

SWEEP_CLIENT ?= kafka-python
sweep: $(READY)  ## stop, hang and kill real processes under load, and prove that nothing is lost
	.venv/bin/python -m tests.sweep --client $(SWEEP_CLIENT) $(SWEEP)

bench: $(READY)  ## measure this gateway beside baselines and the ceiling, on a real Kafka (docs/performance.md)
	.venv/bin/python -m bench run

bench-growth: $(READY)  ## measure how cost and memory grow with batches, connections and events
	.venv/bin/python -m bench growth

bench-pages: $(READY)  ## make the pages' tables and pictures again from docs/bench.json and docs/growth.json
	.venv/bin/python -m bench pages

lint: $(READY)  ## check style, formatting, the direction of imports and the pins
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports
	.venv/bin/python -m pip check

# Warns and never fails: it asks the network, and what it finds is not always ours to mend. Kept apart from .venv.
audit:  ## ask PyPI for known vulnerabilities of the pinned versions, where it can be reached
	@test -x .audit/bin/pip-audit || { $(PYTHON) -m venv --clear .audit && .audit/bin/$(PIP) pip-audit; } \
		|| echo "no audit: pip-audit cannot be installed here" >&2
	@test ! -x .audit/bin/pip-audit \
		|| .audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $(PINS)/run.txt \
		|| echo "the audit found something, or could not be made; see above" >&2

types: $(READY)  ## check the types
	.venv/bin/mypy

format: $(READY)  ## put the code in form
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

kafka:  ## start a real Apache Kafka on 127.0.0.1:9092
	@$(BROKER) start

kafka-stop:  ## stop it
	@$(BROKER) stop

wheel: $(READY)  ## build the sdist, and the wheel from it, into dist/
	.venv/bin/python -m build --no-isolation

# Keeps every pin that still satisfies pyproject.toml; `make lock UPGRADE=--upgrade` takes the newest.
# A folder of local wheels (PIP_FIND_LINKS) would add hashes that nobody else can get.
COMPILE = env -u PIP_FIND_LINKS CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/pip-compile --quiet \
	--generate-hashes --strip-extras --allow-unsafe --no-emit-find-links --no-emit-index-url $(UPGRADE)
lock: $(READY)  ## compile the pinned versions from pyproject.toml
	$(COMPILE) --output-file $(PINS)/run.txt pyproject.toml
	$(COMPILE) --extra librdkafka --extra tracing --output-file $(PINS)/extras.txt pyproject.toml
	$(COMPILE) --only-build-deps --build-deps-for wheel --output-file $(PINS)/build.txt pyproject.toml
	$(COMPILE) --extra dev --extra librdkafka --extra tracing --output-file $(PINS)/dev.txt pyproject.toml

clean:  ## remove what can be made again (not .data and .kafka, they hold events)
	rm -rf .venv .audit build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find gateway tests bench deploy -name __pycache__ -prune -exec rm -rf {} +
