#!/bin/sh
# Backs the database's file up. Refuses while the database runs.
set -eu
. "$(dirname -- "$0")/common.sh"

running "$home/db" && fail "the database is running: stop it first"
[ -e "$home/db/at-stop" ] || fail "nothing says what there was: run stop-db.sh first"
mkdir -p -- "$home/backup"
archive=$home/backup/.db.$$
trap 'rm -f -- "$archive"' EXIT
tar -C "$home/db" -czf "$archive" data.sqlite
backup_keep db "$archive" "$(cat -- "$home/db/at-stop")"
