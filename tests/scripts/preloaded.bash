# shellcheck shell=bash
# preloaded: scripts/plot and scripts/report for tests that start them often: see preloaded.py.

# Of a file: setup_file and teardown_file call these.
preloaded_start() {
  /usr/bin/python3 -c 'import matplotlib, jinja2' 2>/dev/null || skip 'python3-matplotlib or python3-jinja2 is missing'
  export PRELOADED=$BATS_FILE_TMPDIR/preloaded
  /usr/bin/python3 "$BATS_TEST_DIRNAME/preloaded.py" serve "$PRELOADED" >"$PRELOADED.log" 2>&1 3>&- &
  export PRELOADED_PID=$!
  until [[ -S $PRELOADED ]]; do
    kill -0 "$PRELOADED_PID" 2>/dev/null || { cat "$PRELOADED.log" && return 1; }
    sleep 0.05
  done
}

preloaded_stop() {
  [[ -z ${PRELOADED_PID-} ]] || kill "$PRELOADED_PID"
}

# preloaded plot|report WORD...
preloaded() {
  /usr/bin/python3 -IS "$BATS_TEST_DIRNAME/preloaded.py" run "$PRELOADED" "$@"
}
