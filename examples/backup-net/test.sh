#!/bin/sh
# The scripts without a server: start, write, stop, back up, start, verify; twice. Leaves nothing running.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/backup-net-test.XXXXXX")
home="$scratch/with a space"

finish() {
    "$home/bin/stop-web.sh" >/dev/null 2>&1 || true
    "$home/bin/stop-db.sh" >/dev/null 2>&1 || true
    rm -rf -- "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$1"; }
die() { printf 'test.sh: %s\n' "$1" >&2; exit 1; }
refused() { if "$@" >/dev/null 2>&1; then die "should have been refused: $*"; fi; }
rows() { python3 "$home/bin/fingerprint.py" rows "$home/db/data.sqlite" | cut -d ' ' -f 2; }
answers() { python3 -c 'import sys, urllib.request as u; u.urlopen("http://127.0.0.1:" + open(sys.argv[1]).read(), timeout=5).read()' "$home/web/port"; }

cd /
say "install and start"
"$here/bin/install.sh" "$home"
refused "$home/bin/verify.sh"

for run in 1 2; do
    say "run $run"
    "$home/bin/start-db.sh"
    "$home/bin/start-web.sh"
    answers || die "the web server does not answer"
    before=$(rows)
    sleep 1
    [ "$(rows)" -gt "$before" ] || die "nothing is being written"
    refused "$home/bin/backup-web.sh"
    refused "$home/bin/backup-db.sh"

    "$home/bin/stop-web.sh"
    "$home/bin/stop-db.sh"
    "$home/bin/stop-db.sh" >/dev/null
    refused answers
    at_stop=$(rows)
    "$home/bin/backup-web.sh" &
    web=$!
    "$home/bin/backup-db.sh"
    wait "$web"
    "$home/bin/start-db.sh"
    "$home/bin/start-web.sh"

    "$home/bin/verify.sh"
    sleep 1
    [ "$(rows)" -gt "$at_stop" ] || die "nothing is being written after the start"
    answers || die "the web server does not answer after the start"
done

say "a damaged backup is noticed"
newest=$home/backup/$(cat "$home/backup/db.newest")
printf 'x' >>"$newest"
refused "$home/bin/verify.sh"
python3 "$home/bin/fingerprint.py" file "$newest" >"$newest.sha256"
echo "rows 1 last 1 sha256 0" >"$newest.expected"
refused "$home/bin/verify.sh"

say "a crash leaves nothing in the way"
kill -9 "$(cat "$home/web/pid")"
"$home/bin/stop-web.sh"
"$home/bin/start-web.sh"
answers || die "the web server does not answer after a crash"

say "nothing is left running"
"$home/bin/stop-web.sh"
"$home/bin/stop-db.sh"
left=$(ps -eo args | grep -F "$home/bin" | grep -v grep || true)
[ -z "$left" ] || die "left running: $left"
say "ok"
