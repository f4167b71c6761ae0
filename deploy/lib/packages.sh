# shellcheck shell=bash
# packages.sh (sourced): installs the Debian packages of deploy/packages.txt.
#
#   packages_ensure GROUP...   installs what is missing of these groups, with one apt-get call; does nothing if nothing is
#   packages_missing GROUP...  prints what is missing, one name a line
#   packages_list GROUP...     prints what the groups name, one name a line
#
# PACKAGES_FILE names another list. All return 0, or 1 after a sentence on stderr. apt-get's own output goes to
# PACKAGES_LOG if that is set, else to stderr, so that a caller may show its own progress.

PACKAGES_FILE=${PACKAGES_FILE:-$(dirname "${BASH_SOURCE[0]}")/../packages.txt}

packages_fail() {
    echo "packages: $*" >&2
    return 1
}

packages_list() {
    local wanted
    [ -r "$PACKAGES_FILE" ] || packages_fail "cannot read the list of packages $PACKAGES_FILE" || return 1
    for wanted in "$@"; do
        grep -q "^${wanted}[[:space:]]" "$PACKAGES_FILE" || packages_fail "$PACKAGES_FILE has no group \"$wanted\"" || return 1
    done
    awk -v wanted=" $* " '!/^#/ && NF && index(wanted, " " $1 " ") && !seen[$2]++ { print $2 }' "$PACKAGES_FILE"
}

packages_missing() {
    local names name state
    names=$(packages_list "$@") || return 1
    for name in $names; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) || state=
        [ "$state" = installed ] || echo "$name"
    done
}

# Without systemd nothing would ever stop a daemon that a package's script starts, so none is started; a policy that is
# there already is left as it is.
packages_forbid_daemons() {
    [ ! -d /run/systemd/system ] && [ ! -e /usr/sbin/policy-rc.d ] || return 1
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
}

packages_apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" \
        >>"${PACKAGES_LOG:-/dev/stderr}" 2>&1 </dev/null
}

packages_known() {
    local name
    for name in "$@"; do
        apt-cache policy "$name" 2>/dev/null | grep -q 'Candidate: [0-9]' || return 1
    done
}

packages_install() {
    local updated=""
    if ! packages_known "$@"; then
        packages_apt update || packages_fail "apt-get update failed; is this machine online?" || return 1
        updated=1
    fi
    packages_apt --no-install-recommends install "$@" && return 0
    # The lists may be older than the archive: once more with fresh ones.
    [ -z "$updated" ] && packages_apt update && packages_apt --no-install-recommends install "$@" && return 0
    packages_fail "apt-get could not install: $*" \
        "(is this machine online? the output of apt-get ${PACKAGES_LOG:+in $PACKAGES_LOG }says why)"
}

packages_ensure() {
    local missing policy="" status=0
    missing=$(packages_missing "$@") || return 1
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086 # package names, one word each
    set -- $missing
    [ "$(id -u)" = 0 ] || packages_fail "must be root to install: $*" || return 1
    command -v apt-get >/dev/null || packages_fail "this machine has no apt-get; install by hand: $*" || return 1
    packages_forbid_daemons && policy=1
    packages_install "$@" || status=1
    [ -z "$policy" ] || rm -f /usr/sbin/policy-rc.d
    return $status
}
