#!/usr/bin/env bash
# Builds a newer PgBouncer than this Debian has, from Debian's own source package of a later release (about 20 seconds).
#   compose/tools/pgbouncer.sh FILE       where the program is put; nothing is installed besides but what the build needs
# apt asks the mirror that this machine uses already, with lists and a cache of its own: the system's are not touched.
set -euo pipefail

SUITE=trixie
VERSION=1.24.1

target=${1:?where to put the program}
if [ -x "$target" ] && "$target" --version | grep -q "PgBouncer $VERSION\$"; then exit; fi
die() { printf 'pgbouncer: %s\n' "$*" >&2; exit 1; }
command -v apt-get >/dev/null || die "this is not Debian: the source of PgBouncer $VERSION is a package of Debian's"

missing=
pkg-config --exists libevent 2>/dev/null || missing="$missing libevent-dev"
pkg-config --exists openssl 2>/dev/null || missing="$missing libssl-dev"
for program in gcc make pkg-config; do command -v $program >/dev/null || missing="$missing $program"; done
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || die "not root, and these are missing: run sudo apt-get install --no-install-recommends$missing"
    # shellcheck disable=SC2086  # a list of words
    { apt-get -qq -o DPkg::Lock::Timeout=120 update \
        && DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 install -y \
            --no-install-recommends $missing; } >/dev/null || die "apt-get could not install$missing"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
[ -n "$mirror" ] || die "apt knows no mirror"
mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/source"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $SUITE main" >"$scratch/sources.list"
own=(-qq -o "Dir::Etc::sourcelist=$scratch/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$scratch/lists"
    -o "Dir::Cache=$scratch/cache" -o APT::Sandbox::User=root)
(
    cd "$scratch/source"
    apt-get "${own[@]}" update
    apt-get "${own[@]}" source --download-only pgbouncer
    [ -f "pgbouncer_$VERSION.orig.tar.gz" ] || { ls >&2; exit 1; }
    tar xf "pgbouncer_$VERSION.orig.tar.gz"
    cd "pgbouncer-$VERSION"
    ./configure --without-cares --without-pam --without-systemd
    nice make pgbouncer
) >"$scratch/log" 2>&1 || { tail -n 20 "$scratch/log" >&2; die "PgBouncer $VERSION was not built"; }
mkdir -p "$(dirname "$target")"
install -m 755 "$scratch/source/pgbouncer-$VERSION/pgbouncer" "$target"
