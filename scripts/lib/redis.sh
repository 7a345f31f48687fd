# A private Redis for tests: on a free port of loopback, nothing on disk.
# Source it; `redis_start` sets BEDPLATE_TEST_REDIS, `redis_stop` stops it by its pid.

redis_start() {
  local tries=0
  command -v redis-server >/dev/null || { echo "redis_start: no redis-server here: install the package redis-server" >&2; return 1; }
  REDIS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/bedplate-redis.XXXXXX")
  # a port may be taken between looking and listening: then another is tried
  while :; do
    REDIS_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    _redis_run && break
    tries=$((tries + 1))
    [ "$tries" -lt 5 ] || { cat "$REDIS_DIR/server.log" >&2; return 1; }
  done
  export BEDPLATE_TEST_REDIS="redis://127.0.0.1:$REDIS_PORT"
}

# Starts the server and waits until it answers; fails when it ends first. Each test takes a database of its own.
_redis_run() {
  local i
  redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --dir "$REDIS_DIR" --save '' --appendonly no \
    --databases 4096 --maxmemory 256mb >"$REDIS_DIR/server.log" 2>&1 &
  REDIS_PID=$!
  for i in $(seq 100); do
    if [ "$(redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping 2>/dev/null)" = PONG ]; then return 0; fi
    kill -0 "$REDIS_PID" 2>/dev/null || return 1
    sleep 0.1
  done
  kill "$REDIS_PID" 2>/dev/null
  return 1
}

redis_stop() {
  local i
  if [ -n "${REDIS_PID:-}" ]; then
    kill "$REDIS_PID" 2>/dev/null || true
    for i in $(seq 50); do
      kill -0 "$REDIS_PID" 2>/dev/null || break
      sleep 0.1
    done
    ! kill -0 "$REDIS_PID" 2>/dev/null || kill -KILL "$REDIS_PID"
  fi
  [ -z "${REDIS_DIR:-}" ] || rm -rf "$REDIS_DIR"
  unset REDIS_PID REDIS_DIR REDIS_PORT
}
