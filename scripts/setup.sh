#!/usr/bin/env bash
# Makes a bare Debian 12 ready. Installs only what is missing and says what; when all is there it takes well under a second.
#   scripts/setup.sh          all of it
#   scripts/setup.sh build    to build and to run the demo: a C++ compiler and its tools, Rust
#   scripts/setup.sh kafka    to run against a broker as well: Java, Kafka, the reference applications
#   scripts/setup.sh lint     to build and to check licences: cargo-deny
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

case ${1:-all} in
  all) wants_kafka=1 wants_lint=1 ;;
  build) wants_kafka=0 wants_lint=0 ;;
  kafka) wants_kafka=1 wants_lint=0 ;;
  lint) wants_kafka=0 wants_lint=1 ;;
  *) die "setup.sh knows build, kafka, lint and all, not $1" ;;
esac

# One line a need: how to see that it is there, and the package that brings it.
missing_packages() {
  local missing=()
  command -v g++ >/dev/null || missing+=(g++)
  command -v cmake >/dev/null || missing+=(cmake)
  command -v clang >/dev/null || missing+=(clang)
  command -v pkg-config >/dev/null || missing+=(pkg-config)
  command -v protoc >/dev/null || missing+=(protobuf-compiler)
  command -v git >/dev/null || missing+=(git)
  command -v curl >/dev/null || missing+=(curl ca-certificates)
  compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || missing+=(libclang-dev)
  [[ -e /usr/include/openssl/ssl.h ]] || missing+=(libssl-dev)
  if ((wants_kafka)); then
    command -v javac >/dev/null || missing+=(default-jdk-headless)
    command -v mvn >/dev/null || missing+=(maven)
  fi
  # The loop keeps the function's status 0 and its output empty when nothing is missing.
  for package in "${missing[@]}"; do printf '%s ' "$package"; done
}

install_packages() {
  local packages sudo=''
  packages=$(missing_packages)
  [[ -z $packages ]] && return
  command -v apt-get >/dev/null ||
    die "this system lacks: $packages- and has no apt-get to install them with; install their equivalents by hand"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "system packages are missing: $packages- run as root: apt-get install $packages"
    sudo=sudo
  fi
  say "==> Installing system packages: $packages"
  $sudo apt-get update -q
  # shellcheck disable=SC2086 # a list of words on purpose
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages
  packages=$(missing_packages)
  [[ -z $packages ]] || die "still missing after the installation: $packages"
}

install_rust() {
  # With no cargo on the path, a rustup that was installed for this user may still be there.
  [[ -x $HOME/.cargo/bin/cargo ]] && PATH=$HOME/.cargo/bin:$PATH
  command -v cargo >/dev/null && return
  local host dist fresh
  host=$(uname -m)-unknown-linux-gnu
  dist=https://static.rust-lang.org/rustup/dist/$host
  fresh=$(mktemp -d)
  say "==> Installing Rust by rustup to $HOME/.cargo and $HOME/.rustup (rust-toolchain.toml names the compiler; your shell's profile stays as it is)"
  # The installer writes its name into itself: it has to be called rustup-init.
  curl -fsSL --retry 3 -o "$fresh/rustup-init" "$dist/rustup-init"
  [[ $(sha256sum <"$fresh/rustup-init") == "$(curl -fsSL --retry 3 "$dist/rustup-init.sha256" | cut -d' ' -f1)"* ]] ||
    die "the rustup installer from $dist arrived damaged; try again"
  chmod +x "$fresh/rustup-init"
  "$fresh/rustup-init" -y -q --no-modify-path --profile minimal --default-toolchain none
  rm -rf "$fresh"
  PATH=$HOME/.cargo/bin:$PATH
}

# The pinned compiler, also where rustup does not install by itself what a toolchain file names.
install_toolchain() {
  command -v rustup >/dev/null || return 0
  local toolchain
  toolchain=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  rustup toolchain list | grep -q "^$toolchain-" && return
  say "==> Installing the Rust toolchain $toolchain"
  rustup toolchain install "$toolchain" --profile minimal --component rustfmt --component clippy
}

install_kafka() {
  local wanted stamp=$KAFKA_DIR/stamp
  wanted=$(sha256sum <e2e/kafka/pom.xml)
  [[ -e $stamp && $(<"$stamp") == "$wanted" ]] && return
  say "==> Fetching Kafka $KAFKA_VERSION from Maven Central to $KAFKA_DIR/lib (126 MB)"
  # Into a directory beside it first: an interrupted download leaves nothing that looks whole.
  local fresh=$KAFKA_DIR.new.$$
  rm -rf "$fresh" && mkdir -p "$fresh"
  mvn -B -q -Dstyle.color=never -f e2e/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$fresh/lib"
  printf '%s\n' "$wanted" >"$fresh/stamp"
  rm -rf "$KAFKA_DIR" && mv "$fresh" "$KAFKA_DIR"
  say "    $(find "$KAFKA_DIR/lib" -name '*.jar' | wc -l) jars"
}

compile_java() {
  local wanted stamp=$JAVA_CLASSES/stamp
  wanted=$(cat "$KAFKA_DIR/stamp" e2e/kafka/java/*.java | sha256sum)
  [[ -e $stamp && $(<"$stamp") == "$wanted" ]] && return
  say "==> Compiling the Java reference applications to $JAVA_CLASSES"
  local fresh=$JAVA_CLASSES.new.$$
  rm -rf "$fresh" && mkdir -p "$fresh"
  javac --release 17 -Xlint:all,-classfile,-processing,-serial -Werror -cp "$KAFKA_DIR/lib/*" -d "$fresh" e2e/kafka/java/*.java
  printf '%s\n' "$wanted" >"$fresh/stamp"
  rm -rf "$JAVA_CLASSES" && mv "$fresh" "$JAVA_CLASSES"
}

install_cargo_deny() {
  local bin=$MILLRACE_CACHE/bin/cargo-deny stamp=$MILLRACE_CACHE/bin/cargo-deny.version
  [[ -x $bin && -e $stamp && $(<"$stamp") == "$CARGO_DENY_VERSION" ]] && return
  say "==> Building cargo-deny $CARGO_DENY_VERSION (checks the dependencies' licences; a few minutes, once)"
  # Built outside the workspace, whose compiler flags are not meant for it, by the workspace's compiler.
  local toolchain
  toolchain=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  (
    cd "$MILLRACE_CACHE"
    RUSTUP_TOOLCHAIN=$toolchain CARGO_TARGET_DIR=$MILLRACE_CACHE/cargo-deny-build \
      with_heartbeat "building cargo-deny" cargo install cargo-deny --version "$CARGO_DENY_VERSION" --locked --root "$MILLRACE_CACHE"
    rm -rf "$MILLRACE_CACHE/cargo-deny-build"
  )
  printf '%s\n' "$CARGO_DENY_VERSION" >"$stamp"
}

mkdir -p "$MILLRACE_CACHE/bin"
install_packages
install_rust
# Two set-ups at once (two clones, two terminals) take turns.
exec 9>"$MILLRACE_CACHE/setup.lock"
flock 9
install_toolchain
if ((wants_kafka)); then
  install_kafka
  compile_java
fi
if ((wants_lint)); then install_cargo_deny; fi
