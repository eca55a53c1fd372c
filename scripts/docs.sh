#!/usr/bin/env bash
# The API documentation builds without a warning, every relative link in the guides leads somewhere, and what they show is so.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

say "-- rustdoc"
RUSTDOCFLAGS="-D warnings" with_heartbeat "documenting" cargo doc --release --workspace --no-deps --quiet

say "-- links in Markdown files"
broken=0 checked=0
while IFS= read -r file; do
  while IFS= read -r target; do
    checked=$((checked + 1))
    path=${target%%#*}
    [[ -z $path ]] && continue
    [[ $path == /* ]] && path=$ROOT$path || path=$(dirname "$file")/$path
    if [[ ! -e $path ]]; then
      printf '%sbroken link%s in %s: %s\n' "$RED" "$RESET" "$file" "$target"
      broken=$((broken + 1))
    fi
  done < <(sed -e '/^```/,/^```/d' -e 's/`[^`]*`//g' "$file" | grep -oE '\]\([^)# ][^) ]*\)' | sed -e 's/^](//' -e 's/)$//' | grep -vE '^(https?|mailto):' || true)
done < <(git ls-files --cached --others --exclude-standard -- '*.md')
echo "$checked links checked, $broken broken"
((broken == 0))

say "-- what the guides show"
scripts/check-docs.sh
