#!/usr/bin/env bash
# Java and Millrace, alternating, on one broker. Arguments go to the bench (--help lists them).
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$ROOT"
exec "$CARGO_TARGET_DIR/release/bench" "$@"
