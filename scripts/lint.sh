#!/usr/bin/env bash
# Format, clippy with warnings as errors, and the dependencies' licences and sources.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

say "-- cargo fmt --check"
cargo fmt --all -- --check
say "-- clippy"
# Not --all-targets: that leaves out the Kafka tests, which are no default test target.
with_heartbeat "running clippy" cargo clippy --release --workspace --lib --bins --tests --examples --benches --test kafka --test generated -- -D warnings
say "-- cargo-deny: licences, bans, sources"
# Advisories need a download, and a build must not fail because of the day it runs on.
"$MILLRACE_CACHE/bin/cargo-deny" --offline --workspace check --hide-inclusion-graph licenses bans sources
