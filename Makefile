# Two commands: `make demo` shows the switch at work, `make check` proves it (README.md).
# Both install what they miss (tests/lib/setup.sh) and say what they do.
SHELL := /bin/bash
PYTHON := /usr/bin/python3
KEEP ?=

.PHONY: help demo check nightly build setup-build setup-demo setup-check fmt

help:
	@echo "make demo [KEEP=1]   build, start a switch with guests and namespaces, show what it does"
	@echo "make check           all tests; the last line is 'N passed, N failed, N skipped'"
	@echo "make nightly         check, and the long forms"
	@echo "make build           the binaries, in target/release"

build: setup-build
	@echo "build: all binaries, optimised (the first time takes some minutes)"
	cargo build --release -p vswitch

demo: setup-demo
	@echo "demo: building the binaries, optimised (the first time takes some minutes)"
	cargo build --release -p vswitch
	@target="$${CARGO_TARGET_DIR:-target}"; exec "$$target/release/vswitch" demo $(if $(KEEP),--keep)

check: setup-check
	@exec $(PYTHON) tests/check.py

nightly: setup-check
	@exec $(PYTHON) tests/check.py --nightly

setup-build:
	@tests/lib/setup.sh build

setup-demo:
	@tests/lib/setup.sh demo

setup-check:
	@tests/lib/setup.sh check

fmt:
	cargo fmt --all
