# Everything is a target here; `make` alone lists them. CARGO_TARGET_DIR is honoured.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TARGET  := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
RELEASE := $(TARGET)/release/dandori
# The tests use the binary of the dev profile: `cargo test` has compiled all that it is made of, so it costs only a link,
# where the release profile would compile everything once more (minutes on two cores). It also has overflow checks
# and debug assertions on. `make faults`, `make conformance` and `make clients` take another one in DANDORI_BIN.
TESTED  := $(if $(DANDORI_BIN),$(DANDORI_BIN),$(abspath $(TARGET))/debug/dandori)
VENV    := $(TARGET)/venv
PYTHON  := $(VENV)/bin/python
SHARED  := ../shared
FAULTS  ?= 200
AGENTS  ?= 200
# Inputs that `make fuzz` invents for each of these.
FUZZ_RUNS    ?= 1000000
FUZZ_TARGETS ?= json path intrinsic jsonata definition engine document calendar http
FUZZER       := $(abspath $(TARGET))/tools/bin/cargo-fuzz

# A test says where it failed, not how it got there.
export RUST_BACKTRACE ?= 0
export DANDORI_BIN := $(TESTED)
say = @printf '\n== %s\n' "$(1)"

.PHONY: help build agent-static demo test check format lint layers deny crates tested examples clients conformance faults faults-short agents fuzz bench clean

help: ## lists these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

build: ## the release binary: target/release/dandori
	cargo build --locked --release --package dandori

# Without shared libraries, so that it runs on any Linux of this architecture. glibc's; who has the target
# x86_64-unknown-linux-musl installed gets a smaller one with AGENT_TARGET=x86_64-unknown-linux-musl.
AGENT_TARGET ?= $(shell rustc -vV | sed -n 's/^host: //p')
agent-static: ## one static binary for hosts with agents
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --package dandori --target $(AGENT_TARGET)
	@ldd $(TARGET)/$(AGENT_TARGET)/release/dandori 2>&1 | grep -qE 'statically linked|not a dynamic executable'
	@echo $(TARGET)/$(AGENT_TARGET)/release/dandori

demo: build ## builds, then runs the backup job net for real on this machine
	$(RELEASE) demo

# One after the other: two cores are busy with each.
test: ## everything that continuous integration runs
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory crates
	@$(MAKE) --no-print-directory examples
	@$(MAKE) --no-print-directory clients
	@$(MAKE) --no-print-directory conformance
	@$(MAKE) --no-print-directory faults-short
	$(call say,all tests passed)

check: format lint layers deny ## format, lints, layers, links, dependencies

format:
	$(call say,format)
	cargo fmt --all --check

lint:
	$(call say,lints)
	cargo clippy --locked --quiet --workspace --all-targets --keep-going -- -D warnings

layers: ## who may use whom, and what documents claim
	$(call say,layers and documents)
	cargo test --locked --quiet --package xtask

deny:
	$(call say,dependencies)
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --all-features check; \
	else echo "cargo-deny is not installed, so licences and advisories are not checked here (deny.toml has the rules)"; fi

crates: ## the tests of all crates
	$(call say,tests of the crates)
	cargo test --locked --quiet --workspace --exclude xtask

# Where another binary was named, there is nothing to build.
tested:
	@if [ "$(TESTED)" = "$(abspath $(TARGET))/debug/dandori" ]; then cargo build --locked --quiet --package dandori; fi

examples: ## the scripts of the examples, without a server
	$(call say,examples)
	examples/backup-net/test.sh

$(VENV)/ready: tests/requirements.txt
	$(call say,Python packages)
	python3 -m venv --clear $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	@touch $@

clients: tested $(VENV)/ready ## boto3 and the AWS CLI against the real binary
	$(call say,real clients)
	$(PYTHON) -m pytest --config-file tests/pytest.ini tests

conformance: tested $(VENV)/ready ## the cases recorded on AWS, where ../shared is there
	$(call say,conformance)
	@if [ -f $(SHARED)/conformance/run_cases.py ]; then \
		$(PYTHON) tests/conformance.py $(SHARED)/conformance/run_cases.py; \
		$(PYTHON) tests/conformance_services.py $(SHARED)/conformance/run_cases.py; \
	else echo "$(SHARED)/conformance is not there, so the cases recorded on AWS are NOT run here"; fi

faults-short: tested $(VENV)/ready
	$(call say,faults in short)
	$(PYTHON) tests/faults.py --planted
	$(PYTHON) tests/faults.py --server-kills 5 --agent-kills 3
	$(PYTHON) tests/agent_faults.py --hosts 6 --server-kills 2 --only agent,reboot,server
	$(PYTHON) tests/many_agents.py --agents 12

faults: tested $(VENV)/ready ## kill -9 at FAULTS random moments (default 200) under load
	$(call say,faults)
	$(PYTHON) tests/faults.py --server-kills $(FAULTS) --agent-kills $$(( ($(FAULTS) + 9) / 10 ))
	@if [ "$$(id -u)" = 0 ] && [ ! -d /usr/lib/x86_64-linux-gnu/faketime ]; then apt-get -qq install -y faketime >/dev/null; fi
	$(PYTHON) tests/agent_faults.py --hosts $(FAULTS) --server-kills $(FAULTS)

agents: tested $(VENV)/ready ## AGENTS agents (default 200) on one server: a command to all, exact to the last count
	$(call say,many agents)
	$(PYTHON) tests/many_agents.py --agents $(AGENTS)

# The compiler is the stable one: what cargo-fuzz asks of it beyond that is switched on for these builds alone.
fuzz: export RUSTC_BOOTSTRAP := 1
fuzz: export CARGO_PROFILE_RELEASE_LTO := off
fuzz: export CARGO_PROFILE_RELEASE_DEBUG := line-tables-only
fuzz: export CARGO_PROFILE_RELEASE_STRIP := none
fuzz: $(FUZZER) ## FUZZ_RUNS invented inputs (default 1000000) for each of FUZZ_TARGETS; see fuzz/README.md
	$(call say,fuzz)
	@for target in $(FUZZ_TARGETS); do \
		corpus="$(abspath $(TARGET))/fuzz/corpus/$$target"; mkdir -p "$$corpus"; \
		$(FUZZER) run --sanitizer none --features libfuzzer --target-dir "$(abspath $(TARGET))/fuzz" "$$target" "$$corpus" "fuzz/seeds/$$target" \
			-- -runs=$(FUZZ_RUNS) -max_len=2048 -timeout=1 -rss_limit_mb=512 -print_final_stats=1; \
	done

$(FUZZER):
	cargo install --locked --quiet --root $(abspath $(TARGET))/tools --version 0.13.2 cargo-fuzz

bench: ## what it costs, beside a ceiling measured in the same run
	$(call say,bench)
	cargo build --locked --release --package dandori --package bench
	$(TARGET)/release/bench

clean: ## what was built, the Python packages included
	cargo clean
	rm -rf $(VENV)
