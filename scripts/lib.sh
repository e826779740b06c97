# shellcheck shell=bash disable=SC2034 # colours and paths are for those who source it
# What the scripts share. Sourced, not run.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD

# Everything that is fetched lies in here and in build/; git ignores both.
CACHE=$ROOT/.cache
export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
export CLICOLOR_FORCE=0
if [ -t 1 ]; then BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else BOLD='' DIM='' RED='' GREEN='' PLAIN=''; fi

STEP=0 STEPS=0 STARTED=$SECONDS
# steps N: how many `step`s are to come. step TEXT: the next one begins.
steps() { STEPS=$1; }
step() { STEP=$((STEP + 1)); printf '%s[%d/%d] %s%s %s(%ds)%s\n' "$BOLD" "$STEP" "$STEPS" "$*" "$PLAIN" "$DIM" $((SECONDS - STARTED)) "$PLAIN"; }
note() { printf '      %s\n' "$*"; }
fail() { printf '%s%s%s\n' "$RED" "$*" "$PLAIN" >&2; exit 1; }

# The packages of scripts/packages.txt: packages build | packages test (with
# those of build) | packages go.
packages() { awk -v want="$1" '!/^#/ && NF { if ($2 == want || (want == "test" && $2 == "build")) print $1 }' scripts/packages.txt; }

# Installs what is missing. install_packages build | test
install_packages() {
  local wanted
  mapfile -t wanted < <(packages "$1")
  install_debian "${wanted[@]}"
}

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# install_debian PACKAGE...: installs those that are missing.
install_debian() {
  local missing=() p
  for p in "$@"; do
    installed "$p" || missing+=("$p")
  done
  if [ ${#missing[@]} -eq 0 ]; then note "all packages are there"; return; fi
  command -v apt-get >/dev/null || fail "This is no Debian: install what scripts/packages.txt lists, then run again."
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "Missing: ${missing[*]}. Install them as root, or install sudo, then run again."
    sudo=(sudo)
  fi
  note "installing ${#missing[@]} Debian packages: ${missing[*]}"
  mkdir -p "$CACHE"
  if ! { "${sudo[@]}" apt-get update -q && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
         apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$CACHE/apt.log" 2>&1 </dev/null; then
    tail -n 20 "$CACHE/apt.log" >&2
    fail "Installing packages failed; the whole output is in .cache/apt.log."
  fi
}

# build PRESET [TARGET...]: configures when needed, builds, shows ninja's counter.
build() {
  local preset=$1; shift
  mkdir -p "$CACHE"
  # Without the test packages the tests cannot even be configured: scripts/run, which
  # asks for none of them, builds without. Said each time, since CMake remembers.
  local without=()
  installed libgtest-dev || without=(-DGATEHOUSE_TESTS=OFF -DGATEHOUSE_BENCH=OFF)
  if ! cmake --preset "$preset" "${without[@]}" >"$CACHE/cmake-$preset.log" 2>&1; then
    cat "$CACHE/cmake-$preset.log" >&2
    fail "Configuring the $preset build failed."
  fi
  if [ -t 1 ]; then ninja -C "build/$preset" "$@"
  else
    # Not a terminal: a line every so often instead of hundreds.
    if ! ninja -C "build/$preset" "$@" >"$CACHE/build-$preset.log" 2>&1; then
      grep -v '^\[' "$CACHE/build-$preset.log" | head -n 80 >&2
      fail "Building failed; the whole output is in .cache/build-$preset.log."
    fi
    note "$(tail -n 1 "$CACHE/build-$preset.log")"
  fi
}
