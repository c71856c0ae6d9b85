#!/bin/sh
# Stops the web server; returns when it has ended. Records what it served last.
set -eu
. "$(dirname -- "$0")/common.sh"

python3 "$bin/web.py" stop "$home"
[ -d "$home/web/content" ] || fail "there is no web content in $home: start the web server first"
fingerprint tree "$home/web/content" >"$home/web/at-stop.new"
mv -- "$home/web/at-stop.new" "$home/web/at-stop"
printf 'web content: %s\n' "$(cat -- "$home/web/at-stop")"
