#!/usr/bin/env bash
# Runs the suites one after the other. Each prints its time and fails over its budget; a failed suite does not hide the next.
#   scripts/test.sh            all suites
#   scripts/test.sh unit docs  only these
#   MILLRACE_BUDGET_FACTOR=3   for a slow machine: budgets times three
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

FACTOR=${MILLRACE_BUDGET_FACTOR:-1}
# name, budget in seconds (warm, on 2 cores), command
SUITES=(
  "lint|90|scripts/lint.sh"
  "unit|120|cargo test --release --workspace --no-fail-fast"
  "simulation|180|cargo test --release --workspace --no-fail-fast --lib -- --ignored --nocapture sim::"
  "docs|60|scripts/docs.sh"
  "kafka-log|120|$CARGO_TARGET_DIR/release/with-broker cargo test --release --workspace --no-fail-fast --test real -- --include-ignored"
  "generated|120|cargo test --release --workspace --no-fail-fast --test generated -- --nocapture"
  "e2e-kafka|420|cargo test --release --workspace --no-fail-fast --test kafka"
)
wanted=" $* "
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
names=() budgets=() times=() verdicts=()
failed=0

# Colours survive the tee.
[[ -t 1 ]] && export CARGO_TERM_COLOR=always

record() { names+=("$1") budgets+=("$2") times+=("$3") verdicts+=("$4"); }

started=$SECONDS
say "==> build (its time is no suite's)"
status=0
scripts/build.sh tests || status=$?
record build - $((SECONDS - started)) "$([[ $status == 0 ]] && echo ok || echo failed)"
if ((status != 0)); then
  printf '%sthe build failed%s\n' "$RED" "$RESET"
  exit 1
fi

for suite in "${SUITES[@]}"; do
  IFS='|' read -r name budget command <<<"$suite"
  [[ $# -gt 0 && $wanted != *" $name "* ]] && continue
  # Compiling is not a suite's time, but the first run of clippy and rustdoc checks every dependency once more.
  if [[ $name == lint || $name == docs ]] && [[ ! -e $CARGO_TARGET_DIR/.millrace-warm-$name ]]; then
    budget=$((budget + 600))
  fi
  budget=$((budget * FACTOR))
  printf '\n'
  say "==> $name: $command (budget $(duration "$budget"))"
  begun=$SECONDS status=0
  # Thrice the budget is the end: a suite that hangs must not hold the machine.
  # shellcheck disable=SC2086 # a command with its arguments
  timeout --kill-after=10 $((budget * 3)) $command 2>&1 | tee "$logs/$name" || status=${PIPESTATUS[0]}
  took=$((SECONDS - begun))
  if ((status == 124)); then
    verdict="stopped at thrice its budget"
  elif ((status != 0)); then
    verdict=failed
  elif ((took > budget)); then
    verdict="over its budget"
  else
    verdict=ok
    [[ $name == lint || $name == docs ]] && touch "$CARGO_TARGET_DIR/.millrace-warm-$name"
  fi
  [[ $verdict == ok ]] || failed=1
  record "$name" "$budget" "$took" "$verdict"
done

printf '\n'
say "suite        budget   time  result"
for i in "${!names[@]}"; do
  colour=$GREEN
  [[ ${verdicts[$i]} == ok ]] || colour=$RED
  printf '%-11s %6s s %4s s  %s%s%s\n' "${names[$i]}" "${budgets[$i]}" "${times[$i]}" "$colour" "${verdicts[$i]}" "$RESET"
done
printf 'total %s\n\n' "$(duration $((SECONDS - started)))"
# Cargo's own words once more, where a reader of the log's end finds them.
for name in "${names[@]}"; do
  [[ -e $logs/$name ]] || continue
  if grep -qE '^test result: ' "$logs/$name"; then
    say "$name:"
    grep -hE '^test .* FAILED' "$logs/$name" | sort -u || true
    grep -hE '^test result: ' "$logs/$name" | grep -v ' 0 passed; 0 failed; 0 ignored' || true
  fi
done
exit $failed
