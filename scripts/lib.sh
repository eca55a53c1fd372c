# Shared by the scripts beside it: paths, words on the terminal, and running things with a sign of life.
# To be sourced by bash, with `set -euo pipefail` already on.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export MILLRACE_CACHE=${MILLRACE_CACHE:-$HOME/.cache/millrace}
# Outside the clone, so that a second clone on the same machine starts warm (RocksDB alone compiles for ten minutes).
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$MILLRACE_CACHE/target}

KAFKA_VERSION=4.3.1
KAFKA_DIR=$MILLRACE_CACHE/kafka-$KAFKA_VERSION
JAVA_CLASSES=$MILLRACE_CACHE/java-classes
CARGO_DENY_VERSION=0.20.2

# Colours only on a terminal, and not when NO_COLOR asks otherwise.
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  BOLD=$'\e[1m' GREEN=$'\e[32m' RED=$'\e[31m' DIM=$'\e[2m' RESET=$'\e[0m'
else
  BOLD='' GREEN='' RED='' DIM='' RESET=''
fi

say() { printf '%s%s%s\n' "$BOLD" "$*" "$RESET"; }
die() { printf '%serror:%s %s\n' "$RED" "$RESET" "$*" >&2; exit 1; }

# 75 -> "1 min 15 s"
duration() {
  local s=$1
  if ((s < 60)); then printf '%d s' "$s"; else printf '%d min %02d s' $((s / 60)) $((s % 60)); fi
}

# with_heartbeat WHAT COMMAND...: runs the command, and says every minute that it still runs when no terminal shows it.
with_heartbeat() {
  local what=$1 start=$SECONDS beat='' status=0
  shift
  if [[ ! -t 2 ]]; then
    # The sleep outlives its shell: it must not hold the pipe that the suite's output goes through.
    (while sleep 60 >/dev/null 2>&1; do printf '   … still %s (%s)\n' "$what" "$(duration $((SECONDS - start)))"; done) &
    beat=$!
  fi
  "$@" || status=$?
  if [[ -n $beat ]]; then
    kill "$beat" 2>/dev/null || true
    wait "$beat" 2>/dev/null || true
  fi
  return $status
}
