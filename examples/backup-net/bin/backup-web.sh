#!/bin/sh
# Backs the web content up. Refuses while the web server runs.
set -eu
. "$(dirname -- "$0")/common.sh"

running "$home/web" && fail "the web server is running: stop it first"
[ -e "$home/web/at-stop" ] || fail "nothing says what there was: run stop-web.sh first"
mkdir -p -- "$home/backup"
archive=$home/backup/.web.$$
trap 'rm -f -- "$archive"' EXIT
tar -C "$home/web" -czf "$archive" content
backup_keep web "$archive" "$(cat -- "$home/web/at-stop")"
