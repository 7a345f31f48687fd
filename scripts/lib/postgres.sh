# A PostgreSQL of our own: a private port, a temporary folder, no password, loopback only.
# Sourced by scripts/test.
#
#   postgres_start    starts it and sets BEDPLATE_TEST_POSTGRES to its URL
#   postgres_stop     stops it and removes its folder; does nothing when it does not run

POSTGRES_FOLDER=''

postgres_start() {
  local bin port
  bin=$(postgres_bin) || { echo "there is no PostgreSQL server (initdb)" >&2; return 1; }
  POSTGRES_FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/bedplate-postgres.XXXXXX")
  if [ "$(id -u)" -eq 0 ]; then chown postgres "$POSTGRES_FOLDER"; fi
  port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
  as_postgres "$bin/initdb" --pgdata="$POSTGRES_FOLDER/data" --username=postgres --auth=trust --encoding=UTF8 \
    --locale=C.UTF-8 --no-sync >"$POSTGRES_FOLDER.log" 2>&1 || { cat "$POSTGRES_FOLDER.log" >&2; return 1; }
  # Tests may lose power; they may not wait for the disk.
  as_postgres "$bin/pg_ctl" --pgdata="$POSTGRES_FOLDER/data" --log="$POSTGRES_FOLDER/server.log" --wait --silent \
    --options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off
      -c synchronous_commit=off -c full_page_writes=off -c max_connections=200" start </dev/null >/dev/null 2>&1 \
    || { cat "$POSTGRES_FOLDER/server.log" >&2; return 1; }
  BEDPLATE_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
}

postgres_stop() {
  [ -n "$POSTGRES_FOLDER" ] || return 0
  if [ -e "$POSTGRES_FOLDER/data/postmaster.pid" ]; then
    as_postgres "$(postgres_bin)/pg_ctl" --pgdata="$POSTGRES_FOLDER/data" --mode=immediate --silent stop || true
  fi
  rm -rf "$POSTGRES_FOLDER" "$POSTGRES_FOLDER.log"
  POSTGRES_FOLDER=''
}

# The newest server's programs: Debian keeps them out of the PATH.
postgres_bin() {
  local newest
  newest=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)
  newest=${newest:-$(command -v initdb)} && [ -n "$newest" ] && dirname "$newest"
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}
