#!/bin/sh
# Sets floatsoc up in .venv:  sh scripts/setup.sh [EXTRA]      (extras of pyproject.toml: test, lint, ...)
#
# Needs Python 3.11 or newer, a C++ compiler, make and perl. What is missing of those is installed
# where that is allowed (root, or sudo that asks nothing); otherwise one line says what to install.
set -eu
cd "$(dirname "$0")/.."

extra=${1:-}
python=
venv=.venv/bin/python

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 3; }
has() { command -v "$1" >/dev/null 2>&1; }

# Debian packages, as root: fails where there is no apt-get or no right to use it.
install() {
    has apt-get || return 1
    if [ "$(id -u)" -eq 0 ]; then root=; elif has sudo && sudo -n true 2>/dev/null; then root="sudo -n"; else return 1; fi
    say "installing Debian packages: $*"
    $root apt-get -qq update && $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >&2
}

need_compiler() {
    missing=
    for tool in g++ make perl; do has $tool || missing="$missing $tool"; done
    # shellcheck disable=SC2086  # a list of packages
    [ -z "$missing" ] || install $missing || fail "missing:$missing; install with: apt-get install$missing"
}

# The Python that PYTHON names, else the first one here that is new enough.
find_python() {
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    done
    return 1
}

# Without Debian's python3-venv there is no ensurepip; then any pip that is about can fill an environment made without one.
make_environment() {
    find_python || { [ -z "${PYTHON:-}" ] && install python3 python3-venv && find_python; } ||
        fail "missing: Python 3.11 or newer; install python3 and python3-venv, or name one: make PYTHON=/path/to/python3"
    say "creating .venv with $("$python" --version)"
    "$python" -m venv --clear .venv >/dev/null 2>&1 && return
    "$python" -m venv --clear --without-pip .venv && pip_from_elsewhere && return
    install python3-venv && "$python" -m venv --clear .venv && return
    rm -rf .venv
    fail "missing: pip for '$python'; install with: apt-get install python3-venv"
}

# The pip of another Python here, else the wheel in Debian's package, which any user may download.
pip_from_elsewhere() {
    "$python" -m pip --python $venv install -q --no-compile pip 2>/dev/null && return
    has apt-get && has dpkg-deb || return 1
    download=$(mktemp -d)
    (cd "$download" && apt-get -qq download python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb .) 2>/dev/null &&
        $venv "$(echo "$download"/usr/share/python-wheels/pip-*.whl)/pip" install -q pip
    status=$?
    rm -rf "$download"
    return $status
}

# The package as it lies here, with an extra, in the versions of constraints.txt.
pip_install() {
    "$venv" -m pip install -q --no-compile --disable-pip-version-check -c scripts/constraints.txt -e ".${1:+[$1]}"
}

need_compiler
"$venv" -m pip --version >/dev/null 2>&1 || make_environment
say "installing floatsoc${extra:+[$extra]} into .venv (a minute or two the first time)"
pip_install "$extra" || fail "pip could not install the packages; see its message above"

# A peer that the tests compare with has to be compiled, for which Python's headers may be missing.
[ "$extra" != test ] || pip_install "peers" >/dev/null 2>&1 ||
    say "softposit could not be compiled (python3-dev?): the tests against it will be skipped"
