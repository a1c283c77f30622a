#!/bin/sh
# Sets floatsoc up in .venv:  sh scripts/setup.sh [EXTRA]      (extras of pyproject.toml: test, lint, ...)
#
# Needs Python 3.11 or newer, a C++ compiler, make and perl. What is missing of those is installed
# where that is allowed (root, or sudo that asks nothing); otherwise one line says what to install.
set -eu
cd "$(dirname "$0")/.."

extra=${1:-}
python=${PYTHON:-python3}
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
    has c++ || has g++ || has clang++ || missing="g++"
    has make || missing="$missing make"
    has perl || missing="$missing perl"
    # shellcheck disable=SC2086  # a list of packages
    [ -z "$missing" ] || install $missing || fail "missing:$(printf ' %s' $missing); install with: apt-get install $missing"
}

# Without Debian's python3-venv there is no ensurepip; then any pip that is about can fill an environment made without one.
make_environment() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || install python3 python3-venv ||
        fail "missing: Python 3.11 or newer ('$python' is not it); install python3 and python3-venv, or set PYTHON="
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "'$python' is older than Python 3.11; set PYTHON="
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

need_compiler
"$venv" -m pip --version >/dev/null 2>&1 || make_environment
say "installing floatsoc${extra:+[$extra]} into .venv (a minute or two the first time)"
"$venv" -m pip install -q --no-compile --disable-pip-version-check -c scripts/constraints.txt -e ".${extra:+[$extra]}" ||
    fail "pip could not install the packages; see its message above"

# A peer that the tests compare with is compiled here, for which Python's headers may be missing: then those tests are skipped.
[ "$extra" != test ] || "$venv" -m pip install -q --no-compile --disable-pip-version-check -c scripts/constraints.txt -e ".[peers]" >/dev/null 2>&1 ||
    say "softposit could not be compiled (python3-dev?): the tests against it will be skipped"
