# Installs what the tests need and the machine lacks. Sourced by scripts/test.
# Everything but Debian packages goes into $CACHE; each piece carries a stamp with the hash of what it
# was made from, so a second run installs nothing.

NEXTEST=0.9.143
CARGO_DENY=0.20.2
CARGO_FUZZ=0.13.2

say() { printf '\n== %s\n' "$*"; }
die() { printf 'scripts/test: %s\n' "$*" >&2; exit 1; }

setup() {
  command -v cargo >/dev/null || die "there is no cargo: install a Rust toolchain (1.95 or later)"
  command -v cc >/dev/null || die "there is no C compiler (cc)"
  command -v python3 >/dev/null || die "there is no python3"
  mkdir -p "$CACHE/stamps" "$CACHE/tools"
  install_packages
  install_python
  install_npm
  install_cargo_tool nextest "$NEXTEST"
  install_cargo_tool deny "$CARGO_DENY"
  ! wanted fuzz || install_cargo_tool fuzz "$CARGO_FUZZ"
  cargo fetch --locked --quiet
}

# ---- Debian packages: only those whose purpose nothing on the machine serves ----

install_packages() {
  local missing=()
  want() { local package=$1; shift; "$@" >/dev/null 2>&1 || missing+=("$package"); }
  want python3-venv python3 -c 'import ensurepip, venv'
  want postgresql has_postgres
  want redis-server command -v redis-server
  want curl command -v curl
  want procps command -v ps
  want util-linux command -v runuser
  want libfaketime compgen -G '/usr/lib/*/faketime/libfaketime.so.1'   # a machine whose clock is wrong
  want g++ command -v g++                       # the fuzzing runtime is C++
  want chromium command -v chromium
  want chromium-driver command -v chromedriver
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || die "please install: ${missing[*]} (there is no apt-get here)"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "please install as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$CACHE/apt.log" 2>&1 \
    || { tail -20 "$CACHE/apt.log" >&2; die "apt-get could not install ${missing[*]}"; }
}

has_postgres() { command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb'; }

# ---- Python and the Node.js that its package brings ----

install_python() {
  local stamp
  stamp="$CACHE/stamps/venv-$(hash_of tests/requirements.txt <(python3 -V))"
  [ -e "$stamp" ] && [ -x "$CACHE/venv/bin/python" ] && return
  say "installing the Python environment"
  rm -rf "$CACHE/venv" "$CACHE"/stamps/venv-*
  python3 -m venv "$CACHE/venv"
  "$CACHE/venv/bin/python" -m pip install --quiet --no-input --no-deps -r tests/requirements.txt
  "$CACHE/venv/bin/python" -m pip check >/dev/null || die "tests/requirements.txt is not whole"
  touch "$stamp"
}

install_npm() {
  local stamp
  stamp="$CACHE/stamps/npm-$(hash_of tests/js/package.json tests/js/package-lock.json)"
  [ -e "$stamp" ] && [ -d "$CACHE/js/node_modules" ] && return
  say "installing the npm clients"
  rm -rf "$CACHE/js" "$CACHE"/stamps/npm-*
  mkdir -p "$CACHE/js"
  cp tests/js/package.json tests/js/package-lock.json "$CACHE/js/"
  (cd "$CACHE/js" && PATH="$CACHE/venv/bin:$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  touch "$stamp"
}

# ---- cargo's tools: one that is on the machine will do ----

install_cargo_tool() {
  local name=$1 version=$2
  cargo "$name" --version >/dev/null 2>&1 && return
  say "building cargo-$name $version (once)"
  # A folder of its own: these builds share nothing with ours.
  CARGO_TARGET_DIR="$CACHE/tools/target" \
    cargo install --quiet --locked --root "$CACHE/tools" "cargo-$name@$version"
  rm -rf "$CACHE/tools/target"
  cargo "$name" --version >/dev/null || die "cargo-$name was built and does not run"
}

hash_of() { cat "$@" | sha256sum | cut -c1-16; }
