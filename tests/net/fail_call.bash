# shellcheck shell=bash disable=SC2034,SC2154 # launcher is for storm.bash
# fail_call: storms in which a call fails. Needs storm.bash.

# fail_call CALL ERRNO WHERE [AFTER [TIMES]]: the next storms run with that call failing there (fail_call.c).
fail_call() {
  [[ -e $FAIL_CALL_SO ]] || { say "$FAIL_CALL_SO is missing: make check-net builds it"; return 1; }
  launcher=(env "LD_PRELOAD=$FAIL_CALL_SO" "ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
    "FAIL_CALL=$1" "FAIL_ERRNO=$2" "FAIL_IN=$3" "FAIL_AFTER=${4:-0}" "FAIL_TIMES=${5:--1}")
}
