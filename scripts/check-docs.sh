#!/usr/bin/env bash
# What the guides show is so. Code blocks say by their first line what they are:
#   yaml manifest FILE   equals the file
#   console              commands behind "$ " are run here, what follows is their output
#   sh                   make targets, millrace commands with their options, scripts and cargo commands, all of which exist
#   yaml, text           in docs/language.md, docs/cli.md and docs/errors, which have tests of their own, as has docs/quickstart.md
#   text sample          an output that changes from run to run
#   mermaid              a drawing
# Needs the built binary and docs/cli.md, which is written from the command line itself.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$ROOT"
PATH=$CARGO_TARGET_DIR/release:$PATH
command -v millrace >/dev/null || die "millrace is not built: make build"

problems=0 blocks=0
problem() {
  printf '%s%s:%s:%s %s\n' "$RED" "$1" "$2" "$RESET" "$3"
  problems=$((problems + 1))
}

# The commands and options of one section of docs/cli.md.
has_option() { awk -v heading="## millrace $1" '/^## / { on = $0 == heading } on' docs/cli.md | grep -qE -- "^ +(-., )?$2( |,|$)"; }

# One line of a shell block.
check_command() {
  local file=$1 line=$2 words=() word i
  read -ra words <<<"${3%%#*}"
  # Variables before the command.
  while ((${#words[@]})) && [[ ${words[0]} == *=* ]]; do words=("${words[@]:1}"); done
  ((${#words[@]})) || return 0
  case ${words[0]} in
    make)
      for word in "${words[@]:1}"; do
        [[ $word == *=* ]] && break
        grep -q "^$word:" Makefile || problem "$file" "$line" "make has no target $word"
      done
      ;;
    millrace)
      grep -qx "## millrace ${words[1]:-}" docs/cli.md || { problem "$file" "$line" "millrace has no command ${words[1]:-}"; return 0; }
      for word in "${words[@]:2}"; do
        # An option with a dot is a property.
        [[ $word != --* || ${word%%=*} == *.* ]] || has_option "${words[1]}" "${word%%=*}" || problem "$file" "$line" "millrace ${words[1]} has no option ${word%%=*}"
      done
      ;;
    cargo)
      [[ ${words[1]} == fmt || " ${words[*]} " == *" --release --workspace "* ]] || problem "$file" "$line" "cargo without --release --workspace compiles RocksDB again"
      for ((i = 2; i < ${#words[@]}; i++)); do
        [[ ${words[i]} != --test ]] || grep -qxF "name = \"${words[i + 1]}\"" ./*/Cargo.toml ./*/*/Cargo.toml || problem "$file" "$line" "there is no test executable ${words[i + 1]}"
      done
      ;;
    kafka-*.sh) ;; # Kafka's own tools
    scripts/*) [[ -x ${words[0]} ]] || problem "$file" "$line" "there is no ${words[0]}" ;;
    *) problem "$file" "$line" "what ${words[0]} does is not known to this check" ;;
  esac
}

# A console block, given on standard input: the transcript of running its commands has to be the block itself.
replay() {
  local line status
  while IFS= read -r line; do
    [[ $line == '$ '* ]] || continue
    printf '%s\n' "$line"
    status=0
    NO_COLOR=1 bash -c "${line#\$ }" 2>&1 </dev/null || status=$?
    ((status == 0)) || printf '[exit code %d]\n' "$status"
  done
}

check_block() {
  local file=$1 line=$2 info=$3 text=$4 command number=$2
  case $info in
    'yaml manifest '*)
      diff <(printf '%s' "$text") "${info#yaml manifest }" || problem "$file" "$line" "is not ${info#yaml manifest } (> is the file)"
      ;;
    console)
      [[ $text == '$ '* ]] || problem "$file" "$line" "begins with no command"
      diff <(printf '%s' "$text") <(printf '%s' "$text" | replay) || problem "$file" "$line" "is not what the commands print (> is what they print)"
      ;;
    sh)
      while IFS= read -r command; do
        number=$((number + 1))
        check_command "$file" "$number" "$command"
      done <<<"${text%$'\n'}"
      ;;
    mermaid | 'text sample') ;;
    yaml | text)
      [[ $file == docs/language.md || $file == docs/cli.md || $file == docs/errors/* ]] || problem "$file" "$line" "nothing tests a block that is just $info"
      ;;
    *) problem "$file" "$line" "what is a block of '$info'? scripts/check-docs.sh says what there is" ;;
  esac
}

check_file() {
  local file=$1 line number=0 begun=0 info='' text='' inside=0
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    if [[ $line == '```'* ]]; then
      if ((inside)); then
        check_block "$file" "$begun" "$info" "$text"
        blocks=$((blocks + 1)) inside=0
      else
        inside=1 begun=$number info=${line#'```'} text=''
      fi
    elif ((inside)); then
      text+=$line$'\n'
    fi
  done <"$file"
  ((inside == 0)) || problem "$file" "$begun" "the block has no end"
  # Targets and commands that the prose names.
  local name
  for name in $(sed -e '/^```/,/^```/d' "$file" | grep -oE '`make [a-z-]+' | sed 's/`make //' | sort -u); do
    grep -q "^$name:" Makefile || problem "$file" 1 "make has no target $name"
  done
  for name in $(sed -e '/^```/,/^```/d' "$file" | grep -oE '`millrace [a-z]+' | sed 's/`millrace //' | sort -u); do
    grep -qx "## millrace $name" docs/cli.md || problem "$file" 1 "millrace has no command $name"
  done
}

while IFS= read -r file; do check_file "$file"; done < <(git ls-files --cached --others --exclude-standard -- README.md CONTRIBUTING.md 'docs/*.md')

# Tests that docs/guarantees.md names are where it says.
tests=0
while IFS=$'\t' read -r name file; do
  tests=$((tests + 1))
  grep -qE "^ *fn $name\(\)" "docs/$file" || problem docs/guarantees.md 1 "there is no test $name in $file"
done < <(grep -oE '\[`[a-z_0-9]+`\]\([^)]+\.rs\)' docs/guarantees.md | sed -E 's/\[`(.*)`\]\((.*)\)/\1\t\2/')
((tests > 0)) || problem docs/guarantees.md 1 "it names no test"

# The table of suites in CONTRIBUTING.md is the one that scripts/test.sh runs.
suites() { sed -n 's/^  "\([a-z-]*\)|\([0-9]*\)|.*/\1 \2/p' scripts/test.sh; }
shown() { sed -n 's/^| `\([a-z-]*\)` | .* | \([0-9]*\) s |$/\1 \2/p' CONTRIBUTING.md; }
diff <(shown) <(suites) || problem CONTRIBUTING.md 1 "the suites are others (> is scripts/test.sh)"

echo "$blocks code blocks checked, $problems wrong"
((problems == 0))
