#!/bin/sh
# Restores the newest backup of each kind into a scratch directory and compares it with what was recorded when
# the service stopped. Ends with 0 when both are equal, else with 1.
set -eu
. "$(dirname -- "$0")/common.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/backup-net.XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT

verify() { # KIND, FORM of its fingerprint, PATH in the archive
    [ -e "$home/backup/$1.newest" ] || fail "there is no backup of $1 in $home/backup"
    name=$(cat -- "$home/backup/$1.newest")
    archive=$home/backup/$name
    [ "$(fingerprint file "$archive")" = "$(cat -- "$archive.sha256")" ] || fail "$name is not what was written: its checksum differs"
    mkdir -- "$scratch/$1"
    tar -C "$scratch/$1" -xzf "$archive"
    restored=$(fingerprint "$2" "$scratch/$1/$3")
    expected=$(cat -- "$archive.expected")
    [ "$restored" = "$expected" ] || fail "$name restores to '$restored', but there was '$expected'"
    printf '%s: %s restores to what there was (%s)\n' "$1" "$name" "$restored"
}

verify web tree content
verify db rows data.sqlite
