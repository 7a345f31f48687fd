# A private PostgreSQL for tests: in a temporary folder, on a free port of loopback, nothing durable.
# Source it; `postgres_start` sets BEDPLATE_TEST_POSTGRES, `postgres_stop` stops it by its pid.

postgres_start() {
  local bin as=() tries=0
  # Debian keeps the server's programs off PATH
  bin=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -1 || true)
  bin=$(dirname "${bin:-$(readlink -f "$(command -v initdb)")}")
  [ -x "$bin/initdb" ] && [ -x "$bin/pg_isready" ] || { echo "postgres_start: no initdb here: install the package postgresql" >&2; return 1; }

  POSTGRES_DIR=$(mktemp -d "${TMPDIR:-/tmp}/bedplate-postgres.XXXXXX")
  if [ "$(id -u)" = 0 ]; then # it refuses to run as root
    chown postgres: "$POSTGRES_DIR"
    as=(runuser -u postgres --)
  fi
  (cd "$POSTGRES_DIR" && "${as[@]}" "$bin/initdb" --pgdata=data --username=postgres --auth=trust \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync) >"$POSTGRES_DIR/initdb.log" 2>&1 ||
    { cat "$POSTGRES_DIR/initdb.log" >&2; return 1; }

  # a port may be taken between looking and listening: then another is tried
  while :; do
    POSTGRES_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    POSTGRES_COMMAND=("$bin" "${as[@]}")
    _postgres_run "${POSTGRES_COMMAND[@]}" && break
    tries=$((tries + 1))
    [ "$tries" -lt 5 ] || { cat "$POSTGRES_DIR/server.log" >&2; return 1; }
  done
  export BEDPLATE_TEST_POSTGRES="postgres://postgres@127.0.0.1:$POSTGRES_PORT/postgres"
}

# Starts the server and waits until it answers; fails when it ends first.
_postgres_run() {
  local bin=$1 i
  shift
  # the shell becomes the server, so $! is its pid also behind runuser's
  (cd "$POSTGRES_DIR" && exec "$@" "$bin/postgres" -D data -c listen_addresses=127.0.0.1 -c port="$POSTGRES_PORT" \
    -c unix_socket_directories="$POSTGRES_DIR" -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
    -c max_connections=300 -c shared_buffers=64MB -c max_locks_per_transaction=512) \
    >"$POSTGRES_DIR/server.log" 2>&1 &
  local runner=$!
  for i in $(seq 150); do
    if "$bin/pg_isready" -q -h 127.0.0.1 -p "$POSTGRES_PORT"; then
      POSTGRES_PID=$(head -1 "$POSTGRES_DIR/data/postmaster.pid")
      return 0
    fi
    kill -0 "$runner" 2>/dev/null || return 1
    sleep 0.1
  done
  kill "$runner" 2>/dev/null
  return 1
}

# Stops the server and keeps what it holds; `postgres_resume` starts it again on the same port.
postgres_halt() {
  local i
  [ -n "${POSTGRES_PID:-}" ] || return 0
  postgres_thaw
  kill -INT "$POSTGRES_PID" 2>/dev/null || true # INT: a fast shutdown, that does not wait for clients
  for i in $(seq 100); do
    kill -0 "$POSTGRES_PID" 2>/dev/null || break
    sleep 0.1
  done
  ! kill -0 "$POSTGRES_PID" 2>/dev/null || kill -QUIT "$POSTGRES_PID"
  unset POSTGRES_PID
}

# Stands still and keeps its connections; `postgres_thaw` lets it go on.
postgres_freeze() { _postgres_signal STOP; }

postgres_thaw() {
  _postgres_signal CONT
  # runuser stops itself with its child
  kill -CONT "$(ps -o ppid= -p "$POSTGRES_PID" | tr -d ' ')" 2>/dev/null || true
}

_postgres_signal() {
  # shellcheck disable=SC2046 # one word for each process
  kill "-$1" "$POSTGRES_PID" $(pgrep -P "$POSTGRES_PID" || true) 2>/dev/null || true
}

postgres_resume() { _postgres_run "${POSTGRES_COMMAND[@]}"; }

postgres_stop() {
  postgres_halt
  [ -z "${POSTGRES_DIR:-}" ] || rm -rf "$POSTGRES_DIR"
  unset POSTGRES_DIR POSTGRES_PORT POSTGRES_COMMAND
}
