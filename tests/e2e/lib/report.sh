# shellcheck shell=bash
# report.sh (sourced): says what a test found, in lines "ok: SENTENCE" and "not ok: SENTENCE"; for
# tests that need no cloud (check.sh is for those that do).
#
#   check SENTENCE COMMAND...   ok if the command succeeds; what it printed is shown if not
#   report_ok SENTENCE          report_not_ok SENTENCE [DETAIL]
#   report_bail SENTENCE [DETAIL]  for what makes the rest of the test senseless: not ok, then exit 1
#   report_end                  returns 1 if anything was not ok, or nothing was checked; the last call of a test

report_count=0
report_failures=0

report_ok() {
    report_count=$((report_count + 1))
    echo "ok: $1"
}

report_not_ok() {
    report_count=$((report_count + 1))
    report_failures=$((report_failures + 1))
    echo "not ok: $1"
    [ -z "${2:-}" ] || printf '%s\n' "$2" | tail -n 30 | sed 's/^/# /'
}

report_bail() {
    report_not_ok "$@"
    exit 1
}

check() {
    local sentence=$1 output
    shift
    if output=$("$@" 2>&1); then report_ok "$sentence"; else report_not_ok "$sentence" "$output"; fi
}

report_end() {
    echo "# $((report_count - report_failures)) of $report_count"
    [ $report_count -gt 0 ] && [ $report_failures -eq 0 ]
}
