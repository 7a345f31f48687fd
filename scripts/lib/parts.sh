# Runs the parts of a test run one after the other and counts. Sourced by scripts/test.
# A part that fails does not stop the others; a part that ran no test has failed.

PASSED=0 FAILED=0 SKIPPED=0
declare -a ROWS=() BROKEN=()

# part NAME KIND COMMAND...: KIND says how the runner's closing lines are read.
part() {
  local name=$1 kind=$2 began=$SECONDS status=0 counts passed failed skipped
  shift 2
  wanted "$name" || return 0
  say "$name"
  "$@" </dev/null 2>&1 | tee "$RUN/$name.log" || status=${PIPESTATUS[0]}
  read -r passed failed skipped < <("count_$kind" "$RUN/$name.log" "$status")
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  if [ "$status" -eq 0 ] && [ "$passed" -eq 0 ]; then
    echo "part $name ran no test"
    failed=1
  fi
  PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
  [ "$failed" -eq 0 ] || BROKEN+=("$name")
  ROWS+=("$(printf '%-14s %7d %7d %8d %8ds' "$name" "$passed" "$failed" "$skipped" $((SECONDS - began)))")
}

wanted() {
  [ ${#PARTS[@]} -eq 0 ] && { [ -z "$FAST" ] || [[ " $SLOW_PARTS " != *" $1 "* ]]; return; }
  [[ " ${PARTS[*]} " == *" $1 "* ]]
}

count_check() { [ "$2" -eq 0 ] && echo 1 0 0 || echo 0 1 0; }

# Summary [ 1.2s] 123 tests run: 120 passed (1 slow), 3 failed, 2 timed out, 2 skipped
count_nextest() {
  plain "$1" | awk '/Summary \[/ {
      gsub(/\([^)]*\)/, ""); gsub(",", "")
      for (i = 2; i <= NF; i++) {
        if ($i == "passed") p = $(i-1)
        if ($i == "failed") f += $(i-1)
        if ($i == "timed") f += $(i-1)
        if ($i == "skipped") s = $(i-1)
      } }
    END { print p + 0, f + 0, s + 0 }'
}

# test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out (one line a crate)
count_cargo() {
  plain "$1" | awk '/^test result:/ {
      for (i = 2; i <= NF; i++) {
        if ($i == "passed;") p += $(i-1)
        if ($i == "failed;") f += $(i-1)
        if ($i == "ignored;") s += $(i-1)
      } }
    END { print p + 0, f + 0, s + 0 }'
}

# ==== 2 failed, 10 passed, 1 skipped, 1 error in 3.2s ====
count_pytest() {
  plain "$1" | awk '/^=+ .* in [0-9.]+s/ {
      gsub(",", ""); p = f = s = 0
      for (i = 2; i <= NF; i++) {
        if ($i == "passed") p = $(i-1)
        if ($i == "failed") f += $(i-1)
        if ($i ~ /^errors?$/) f += $(i-1)
        if ($i == "skipped" || $i == "xfailed") s += $(i-1)
      } }
    END { print p + 0, f + 0, s + 0 }'
}

# Node's runner: lines `ℹ pass 3`, `ℹ fail 0`, `ℹ skipped 0`
count_node() {
  plain "$1" | awk '$2 == "pass" { p = $3 } $2 == "fail" { f = $3 } $2 == "cancelled" { c = $3 }
    $2 == "skipped" || $2 == "todo" { s += $3 }
    END { print p + 0, f + c + 0, s + 0 }'
}

# fuzz: TARGET: ok, N runs (or FAILED), a line for each target
count_fuzz() { awk '/^fuzz: [^ ]+: ok,/ { p++ } /^fuzz: [^ ]+: FAILED/ { f++ } END { print p + 0, f + 0, 0 }' "$1"; }

# simulation: WHAT: ok, …; mutants: N of M seen …; and FAILED in the line of whatever did
count_simulate() {
  awk '/^simulation: .*: ok, / { p++ } /FAILED/ { f++ } /^mutants: / { p += $2 } END { print p + 0, f + 0, 0 }' "$1"
}

plain() { sed 's/\x1b\[[0-9;]*m//g' "$1"; }

# The closing lines. Gives 0 when everything that ran passed.
report() {
  printf '\n%-14s %7s %7s %8s %9s\n' part passed failed skipped time
  [ ${#ROWS[@]} -eq 0 ] || printf '%s\n' "${ROWS[@]}"
  printf '%-14s %7d %7d %8d %8ds\n' all "$PASSED" "$FAILED" "$SKIPPED" "$SECONDS"
  [ ${#BROKEN[@]} -eq 0 ] || printf 'failed: %s\n' "${BROKEN[*]}"
  [ -d ../shared ] || echo "../shared is absent: tests on its data sets did not run"
  if [ "$SKIPPED" -gt 0 ]; then
    printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
  else
    printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
  fi
  [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}
