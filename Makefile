# Everything a developer and CI run. `make` alone lists it.

SUPPORTED = import sys; sys.exit(sys.version_info < (3, 11))
CANDIDATES = python3 python3.14 python3.13 python3.12 python3.11
PYTHON ?= $(shell for each in $(CANDIDATES); do \
	"$$each" -c "$(SUPPORTED)" 2>/dev/null && echo "$$each" && break; done)
# A uv on the PATH is used; else one is put into a folder of its own.
UV ?= $(or $(shell command -v uv),.uv/bin/uv)
JAVA = $(if $(JAVA_HOME),$(JAVA_HOME)/bin/java,java)
BIN = .venv/bin
ARGS =
# Tests at once: most of them wait for a broker, and each process has its own.
JOBS = 2

.DEFAULT_GOAL := help
.PHONY: help setup tools jars demo test bench peers profile lint docs broker-up broker-down

help:  ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)

setup: $(BIN)/.setup  ## Install into .venv what uv.lock says; does nothing when done

# The stamp is as old as the last sync, so a changed lock or project file repeats it.
$(BIN)/.setup: uv.lock pyproject.toml
	@$(MAKE) --no-print-directory tools
	@if [ "$(UV)" = .uv/bin/uv ] && [ ! -x .uv/bin/uv ]; then \
		echo "Putting uv into .uv/"; \
		$(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet uv; \
	fi
	@echo "Installing the locked dependencies into .venv/"
	@$(UV) sync --frozen --group dev --python "$(PYTHON)"
	@touch $@

tools:
	@missing=0; \
	lacks() { echo "missing: $$1" >&2; missing=1; }; \
	if [ -z "$(PYTHON)" ]; then \
		lacks "Python 3.11 or newer (Debian: apt install python3; or PYTHON=/path/to/it)"; \
	elif [ "$(UV)" = .uv/bin/uv ] && ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		lacks "Python's venv module (Debian: apt install python3-venv)"; \
	fi; \
	"$(JAVA)" -version 2>&1 | grep -Eq 'version "(1[7-9]|[2-9][0-9])' || \
		lacks "Java 17 or newer (Debian: apt install openjdk-17-jre-headless)"; \
	command -v mvn >/dev/null || lacks "Maven (Debian: apt install maven)"; \
	exit $$missing

jars: setup
	@$(BIN)/distillwatch broker fetch

demo: setup  ## Show a whole campaign found on a real broker
	@$(BIN)/distillwatch demo $(ARGS)

test: setup jars  ## Run the tests; ARGS="tests/bus -x" narrows them, JOBS=1 is one by one
	@$(BIN)/pytest --numprocesses $(JOBS) --dist loadscope $(ARGS)

bench: setup peers  ## Measure speed, beside others; takes half an hour
	@for verb in throughput latency memory recovery scaling reporter sketch; do \
		$(BIN)/distillwatch benchmark $$verb || exit 1; \
	done

peers:
	@$(UV) sync --inexact --frozen --group bench --python "$(PYTHON)"

# py-spy samples from outside, the workers' processes included.
PROFILE = pipeline
profile: setup  ## Draw a flame graph; PROFILE=decode_engine draws the engine's
	$(UV) tool run py-spy==0.4.3 record --subprocesses --rate 200 \
		--output profile-$(PROFILE).svg -- \
		$(BIN)/distillwatch benchmark throughput --rounds 1 --only $(PROFILE)

lint: setup  ## Check style, types and import order
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup  ## Bring the tables of README.md up to date
	@$(BIN)/python tests/docs/readme_tables.py

broker-up: setup  ## Start a Kafka broker on 127.0.0.1:9092
	@$(BIN)/distillwatch broker up $(ARGS)

broker-down: setup  ## Stop it; its topics stay
	@$(BIN)/distillwatch broker down $(ARGS)
