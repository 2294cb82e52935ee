#!/usr/bin/env bash
# Make a stand-in for the official python:3.11-slim-bookworm where no image registry can be reached.
#
#   deploy/base-image.sh [TAG]      default TAG: python:3.11-slim-bookworm
#
# Needs root, debootstrap and a Docker engine. The root file system comes from this machine's own
# Debian mirror and is kept in .cache/, so a second run only imports it. What the machine needs to
# reach its package indexes (CA certificates, apt's proxy) goes into the base, so that the
# project's Dockerfile needs no knowledge of it. It differs from the official image in this: it has
# Debian's own Python 3.11 and pip.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=${1:-python:3.11-slim-bookworm}
suite=bookworm
tarball=$PWD/.cache/base-$suite-$(dpkg --print-architecture).tar
docker=${DOCKER:-/usr/bin/docker}

sources() { cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true; }
# the first Debian mirror apt knows, in either of apt's formats
mirror=$(sources | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ' || true)
if [ -z "$mirror" ]; then
    echo "base-image: apt names no Debian mirror (a line ending in /debian in its sources)" >&2
    exit 1
fi

build() {
    local root=$1 proxy certificates=/etc/ssl/certs/ca-certificates.crt
    # debootstrap fetches with wget, which does not read apt's proxy
    proxy=$(apt-config shell proxy Acquire::http::Proxy | sed -n "s/^proxy='\(.*\)'$/\1/p")
    if [ -n "$proxy" ]; then export http_proxy=$proxy; fi
    debootstrap --variant=minbase --components=main \
        --include=ca-certificates,netbase,tzdata,python3,python3-pip,python3-venv \
        "$suite" "$root" "$mirror"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log
    for name in python python3; do ln -s /usr/bin/python3 "$root/usr/local/bin/$name"; done
    ln -s /usr/bin/pip3 "$root/usr/local/bin/pip"
    rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED # as in the official image: pip may install
    if [ -f $certificates ]; then cp $certificates "$root$certificates"; fi
    printf '[global]\ncert = %s\n' $certificates >"$root/etc/pip.conf"
    printf 'deb %s %s main\n' "$mirror" "$suite" >"$root/etc/apt/sources.list"
    if [ -n "$proxy" ]; then
        printf 'Acquire::http::Proxy "%s";\n' "$proxy" >"$root/etc/apt/apt.conf.d/90proxy"
    fi
}

if [ ! -f "$tarball" ]; then
    [ "$(id -u)" = 0 ] || { echo "base-image: debootstrap needs root" >&2; exit 1; }
    command -v debootstrap >/dev/null ||
        { echo "base-image: debootstrap is missing; run: apt-get install -y debootstrap" >&2; exit 1; }
    mkdir -p .cache
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    build "$work/root" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
    tar -C "$work/root" --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* -cf "$tarball.partial" .
    mv "$tarball.partial" "$tarball"
fi
"$docker" import \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' "$tarball" "$tag"
