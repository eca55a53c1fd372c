#!/usr/bin/env bash
# The long searches, one part after the other, and their record in e2e/soak.json.
#   scripts/soak.sh                     all parts
#   scripts/soak.sh kills memory        only these; a part that was not run is not in the record
#   MILLRACE_KILLS=10 scripts/soak.sh   other counts than the table's; MILLRACE_SEED another seed than the date's
#   MILLRACE_SOAK_FILE=other.json       another record
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

# name, variable that says how much, its value here, time that it may take in minutes, command
TEST="cargo test --release --workspace --no-fail-fast"
PARTS=(
  "kills|MILLRACE_KILLS|50|30|$TEST --test kafka -- --nocapture survive_kill::kills_are_not_seen"
  "kills-two-processes|MILLRACE_KILLS|50|30|$TEST --test kafka -- --nocapture kills::"
  "outages|MILLRACE_OUTAGES|5|30|$TEST --test kafka -- --nocapture outage::"
  "simulator|MILLRACE_SIM_SEEDS|200000|90|$TEST --lib -- --nocapture --ignored sim::crashes_at_every_call"
  "apps|MILLRACE_APPS|3000|120|$TEST --test generated -- --nocapture"
  "memory|MILLRACE_MEMORY_SECONDS|600|45|$TEST --test kafka -- --nocapture --ignored memory::"
)
RECORD=${MILLRACE_SOAK_FILE:-e2e/soak.json}
# A new search each day, and one that can be repeated.
export MILLRACE_SEED=${MILLRACE_SEED:-$(date -u +%Y%m%d)}

known=" "
for part in "${PARTS[@]}"; do known+="${part%%|*} "; done
for name in "$@"; do
  [[ $known == *" $name "* ]] || die "there is no part $name; parts are:$known"
done

say "==> build"
scripts/build.sh tests

wanted=" $* "
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
commit=$(git rev-parse HEAD)
[[ -z $(git status --porcelain -- ':!e2e/soak.json') ]] || commit+="-modified"
failed=0 records=()
for part in "${PARTS[@]}"; do
  IFS='|' read -r name variable count minutes command <<<"$part"
  [[ $# -gt 0 && $wanted != *" $name "* ]] && continue
  count=${!variable:-$count}
  printf '\n'
  say "==> $name: $variable=$count MILLRACE_SEED=$MILLRACE_SEED $command"
  begun=$SECONDS status=0
  figures=$logs/$name.figures
  : >"$figures"
  # shellcheck disable=SC2086 # a command with its arguments
  env "$variable=$count" MILLRACE_SOAK_FIGURES="$figures" timeout --kill-after=10 "${minutes}m" $command 2>&1 | tee "$logs/$name" || status=${PIPESTATUS[0]}
  # No test that ran is no test that passed.
  passed=$(sed -nE 's/^test result: .* ([0-9]+) passed;.*/\1/p' "$logs/$name" | awk '{n += $1} END {print n + 0}')
  verdict=passed
  if ((status == 124)); then
    verdict="not ended in $minutes minutes"
  elif ((status != 0)); then
    verdict=failed
  elif ((passed == 0)); then
    verdict="no test ran"
  fi
  [[ $verdict == passed ]] || failed=1
  records+=("$(printf '    {"part": "%s", "verdict": "%s", "%s": %s, "seed": %s, "tests": %s, "seconds": %s, "figures": [%s]}' \
    "$name" "$verdict" "$variable" "$count" "$MILLRACE_SEED" "$passed" $((SECONDS - begun)) "$(paste -sd, "$figures")")")
done

{
  printf '{\n  "commit": "%s",\n  "date": "%s",\n  "machine": "%s, %s processors",\n  "parts": [\n' \
    "$commit" "$(date -u +%FT%TZ)" "$(uname -m)" "$(nproc)"
  for i in "${!records[@]}"; do
    printf '%s%s\n' "${records[$i]}" "$([[ $i -lt $((${#records[@]} - 1)) ]] && printf ,)"
  done
  printf '  ]\n}\n'
} >"$RECORD"
printf '\n'
say "$RECORD"
cat "$RECORD"
exit $failed
