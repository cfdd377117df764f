#!/usr/bin/env bash
# Installs by apt-get what is missing on this machine: `setup.sh build`, `setup.sh demo` (build and a
# guest), `setup.sh check` (demo, and the reference implementation with its clients to test against).
# As root it installs; otherwise it prints the one command to run, and fails. It starts no service, and
# leaves an Open vSwitch that the machine already runs as it is.
set -euo pipefail

build="gcc libc6-dev make pkg-config libclang-dev libdpdk-dev"
demo="dpdk-dev iproute2 iputils-ping"
check="python3 python3-openvswitch python3-os-ken python3-venv openvswitch-common openvswitch-switch openvswitch-switch-dpdk openvswitch-testcontroller ovn-common ovn-central ovn-host iperf3 tcpdump procps util-linux"

case "${1:-}" in
build) want="$build" ;;
demo) want="$build $demo" ;;
check) want="$build $demo $check" ;;
*) echo "usage: setup.sh build|demo|check" >&2; exit 2 ;;
esac

say() { echo "setup: $*"; }

command -v dpkg-query >/dev/null || { say "this is not a Debian machine; install the equivalents of: $want" >&2; exit 1; }

missing=
for p in $want; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done

# The packages of the reference implementation start their daemons when installed, and the DPDK one
# takes over the name ovs-vswitchd. Neither may happen to a machine that only wanted to run tests.
quietly_install() {
    local rcd=/usr/sbin/policy-rc.d made_rcd='' fresh_ovs='' vswitchd_was
    vswitchd_was=$(update-alternatives --query ovs-vswitchd 2>/dev/null | sed -n 's/^Value: //p' || true)
    case " $missing " in *" openvswitch-switch "*) fresh_ovs=1 ;; esac
    if [ ! -e $rcd ]; then
        printf '#!/bin/sh\nexit 101\n' >$rcd && chmod 755 $rcd && made_rcd=1
    fi
    # shellcheck disable=SC2064
    trap "[ -z '$made_rcd' ] || rm -f $rcd" EXIT
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $missing
    if [ -n "$vswitchd_was" ]; then update-alternatives --set ovs-vswitchd "$vswitchd_was"; fi
    if [ -n "$fresh_ovs" ] && [ -d /run/systemd/system ]; then
        systemctl disable --quiet openvswitch-switch.service 2>/dev/null || true
    fi
    for unit in ovn-central ovn-host; do
        case " $missing " in *" $unit "*) [ ! -d /run/systemd/system ] || systemctl disable --quiet $unit.service 2>/dev/null || true ;; esac
    done
}

if [ "$1" = demo ] && [ "$(id -u)" != 0 ]; then
    say "the demo makes network namespaces and polls devices; run this instead:" >&2
    say "    sudo env PATH=\"\$PATH\" make -C $(dirname "$(dirname "$(dirname "$(realpath "$0")")")") demo${missing:+      # apt-get install$missing}" >&2
    exit 1
fi

if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        say "missing packages; run this once, then the same make again:" >&2
        say "    sudo $(realpath "$0") $1      # apt-get install$missing" >&2
        exit 1
    fi
    say "installing:$missing"
    quietly_install
else
    say "all Debian packages for '$1' are present"
fi

command -v cargo >/dev/null || { say "no cargo: install a Rust toolchain first (https://rustup.rs), then run the same make again" >&2; exit 1; }
if [ "$1" = check ]; then
    for c in fmt clippy; do
        cargo $c --version >/dev/null 2>&1 && continue
        command -v rustup >/dev/null || { say "cargo $c is missing: install it with your Rust toolchain" >&2; exit 1; }
        case $c in fmt) rustup component add rustfmt ;; *) rustup component add clippy ;; esac
    done
fi
