# shellcheck shell=bash
# check.sh (sourced by the end-to-end tests): sentences, a cloud of its own under a temporary prefix, and its end.
#
#   ok SENTENCE / not_ok SENTENCE          a result; check SENTENCE command... runs the command and says which
#   cloud_start [quickstart options]       starts a cloud below $CLOUD on free ports; URL, ETC and the admin's OS_ variables are set
#   finish                                 ends everything that was started; the exit status tells whether all went well
#
# Programs come from .build/release (or $VIRGA_BUILD). Everything lies below $CLOUD and is kept with its logs when a check failed.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
VIRGA_BUILD=${VIRGA_BUILD:-$ROOT/.build/release}
CLOUD=$(mktemp -d "${VIRGA_TEST_DIR:-/tmp}/virga-e2e.XXXXXX")
chmod 711 "$CLOUD" # the hypervisor's user must get through to the disks
FAILURES=0
PATH=/usr/bin:/usr/sbin:/bin:/sbin

ok() {
    echo "ok: $*"
}

not_ok() {
    echo "not ok: $*"
    FAILURES=$((FAILURES + 1))
}

check() { # SENTENCE command...
    local sentence=$1
    shift
    if "$@" >"$CLOUD/last.out" 2>&1; then
        ok "$sentence"
    else
        not_ok "$sentence"
        sed 's/^/#   /' "$CLOUD/last.out" | tail -15
    fi
}

# The output must contain the text (fixed).
check_output() { # SENTENCE TEXT command...
    local sentence=$1 text=$2
    shift 2
    "$@" >"$CLOUD/last.out" 2>&1
    if grep -qF -- "$text" "$CLOUD/last.out"; then
        ok "$sentence"
    else
        not_ok "$sentence (\"$text\" is missing)"
        sed 's/^/#   /' "$CLOUD/last.out" | tail -15
    fi
}

# The command must fail and say the text.
check_refused() { # SENTENCE TEXT command...
    local sentence=$1 text=$2
    shift 2
    if "$@" >"$CLOUD/last.out" 2>&1; then
        not_ok "$sentence (it succeeded)"
    elif grep -qiF -- "$text" "$CLOUD/last.out"; then
        ok "$sentence"
    else
        not_ok "$sentence (\"$text\" is missing)"
        sed 's/^/#   /' "$CLOUD/last.out" | tail -15
    fi
}

# Waits for an event: the command to succeed, at most SECONDS.
eventually() { # SECONDS command...
    local end=$(($(date +%s) + $1))
    shift
    until "$@" >"$CLOUD/last.out" 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.2
    done
}

free_port() {
    /usr/bin/python3 - <<'P'
import os, random, socket
own = os.environ.get("VIRGA_TEST_PORTS")
lowest, highest = (int(own), int(own) + 1000) if own else (20000, 30000)
for _ in range(200):
    port = random.randrange(lowest, highest, 2)
    try:
        for p in (port, port + 1):
            s = socket.socket(); s.bind(("127.0.0.1", p)); s.close()
    except OSError:
        continue
    print(port)
    break
P
}

cloud_start() {
    PORT=$(free_port)
    URL=http://127.0.0.1:$PORT ETC=$CLOUD/etc/virga STATE=$CLOUD/var/lib/virga
    "$ROOT/deploy/quickstart" --prefix "$CLOUD" --build "$VIRGA_BUILD" --no-packages --listen "127.0.0.1:$PORT" "$@" >"$CLOUD/quickstart.out" 2>&1 || {
        not_ok "the cloud starts"
        sed 's/^/#   /' "$CLOUD/quickstart.out" | tail -30
        finish
    }
    # shellcheck source=/dev/null
    . "$ETC/openrc"
}

finish() {
    if [ -x "$CLOUD/usr/local/bin/virga" ]; then
        "$ROOT/deploy/quickstart" --prefix "$CLOUD" --listen "127.0.0.1:${PORT:-1}" --purge >"$CLOUD/purge.out" 2>&1 || {
            not_ok "the cloud is removed without a trace"
            tail -5 "$CLOUD/purge.out"
        }
    fi
    if [ "$FAILURES" -eq 0 ]; then
        rm -rf "$CLOUD"
        exit 0
    fi
    echo "# kept: $CLOUD"
    exit 1
}
