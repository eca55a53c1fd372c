#!/usr/bin/env bash
# Builds everything that the suites and the demo run, in the one optimised profile. Arguments: what to build beyond the
# binaries ("tests" for the test executables too).
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

if [[ ! -d $CARGO_TARGET_DIR/release ]]; then
  say "==> First build into $CARGO_TARGET_DIR: about 15 minutes on 2 cores, most of it RocksDB and librdkafka; later ones take seconds"
fi
# Clones share the target directory, and Cargo tells their crates apart by the age of the sources alone: what another clone built later would
# pass for this one's. So a change of clone makes the sources young.
stamp=$CARGO_TARGET_DIR/.millrace-clone
if [[ -e $stamp && $(<"$stamp") != "$ROOT" ]]; then
  git ls-files -z -- '*.rs' '*.toml' | xargs -0 touch -c
fi
mkdir -p "$CARGO_TARGET_DIR"
printf '%s\n' "$ROOT" >"$stamp"
# One feature set everywhere (--workspace), or librdkafka and RocksDB would be compiled once per set.
with_heartbeat building cargo build --release --workspace
if [[ ${1:-} == tests ]]; then
  with_heartbeat "building the tests" cargo test --release --workspace --no-run
  with_heartbeat "building the tests" cargo test --release --workspace --no-run --test kafka --test real --test generated
fi
