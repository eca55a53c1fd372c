# Every target first installs what it needs and is missing (a second run of that takes no time). `make help` lists them.
# ARGS are passed on: make demo ARGS="--for 10s", make bench ARGS="--rounds 1", make test ARGS="unit".
SHELL := /bin/bash
MILLRACE_CACHE ?= $(HOME)/.cache/millrace
CARGO_TARGET_DIR ?= $(MILLRACE_CACHE)/target
export MILLRACE_CACHE CARGO_TARGET_DIR
export PATH := $(HOME)/.cargo/bin:$(PATH)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-build setup-kafka setup-lint build demo test soak bench broker fmt lint docs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install all that any target needs: system packages, Rust, Kafka and the Java side, cargo-deny
	@scripts/setup.sh

# The parts of it.
setup-build setup-kafka setup-lint:
	@scripts/setup.sh $(@:setup-%=%)

build: setup-build ## build all binaries
	@scripts/build.sh

demo: build ## the seed's application on an in-process log, with a live view
	@"$(CARGO_TARGET_DIR)/release/millrace" dev examples/transaction-aggregator.yaml --feed examples/transactions.feed.yaml $(ARGS)

test: setup ## all suites, real Kafka included; ARGS="unit docs" for some
	@scripts/test.sh $(ARGS)

soak: setup-kafka ## the long searches, hours; ARGS="kills memory" for some; record in e2e/soak.json
	@scripts/soak.sh $(ARGS)

bench: setup-kafka build ## Java and Millrace side by side on one broker
	@scripts/bench.sh $(ARGS)

broker: setup-kafka build ## a real Kafka broker for trying things out; Ctrl-C ends it
	@"$(CARGO_TARGET_DIR)/release/with-broker" $(ARGS)

fmt: setup-build ## format the code
	@cargo fmt --all

lint: setup-lint ## format check, clippy, licences
	@scripts/lint.sh

docs: build ## API documentation, the guides' links, and what the guides show
	@scripts/docs.sh
