#!/bin/sh
# Installs Debian's tools that some tests need, where that is allowed (root, or sudo that asks nothing). What is missing
# afterwards is no error: those tests are skipped, and say what they miss.
set -u
packages=
need() { command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || packages="$packages $2"; }
need chromium chromium
ldconfig -p 2>/dev/null | grep -q libftdi1.so.2 || /sbin/ldconfig -p | grep -q libftdi1.so.2 || packages="$packages libftdi1-2"
need iverilog iverilog
need mcs mono-mcs
need mono mono-runtime
need riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf
need yosys yosys
need /usr/share/qflow/tech/osu018/osu018_stdcells.lib qflow-tech-osu018
[ -n "$packages" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then root=; elif sudo -n true 2>/dev/null; then root="sudo -n"; else root=none; fi
if [ "$root" != none ] && command -v apt-get >/dev/null 2>&1; then
    echo "test tools: installing Debian packages:$packages" >&2
    # shellcheck disable=SC2086  # lists of words
    $root apt-get -qq update && $root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends install $packages >&2 && exit 0
fi
echo "test tools: tests that need them are skipped:$packages" >&2
