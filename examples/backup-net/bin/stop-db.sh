#!/bin/sh
# Stops the database under its writer's hands, then the writer. Records which rows there are, and fails if one
# that the database answered for is missing.
set -eu
. "$(dirname -- "$0")/common.sh"

python3 "$bin/db.py" stop "$home"
python3 "$bin/writer.py" stop "$home"
[ -e "$home/db/data.sqlite" ] || fail "there is no database in $home: start it first"
fingerprint rows "$home/db/data.sqlite" >"$home/db/at-stop.new"
mv -- "$home/db/at-stop.new" "$home/db/at-stop"
printf 'database: %s\n' "$(cat -- "$home/db/at-stop")"

promised=$(cat -- "$home/writer/acknowledged" 2>/dev/null || echo 0)
read -r _ _ _ last _ <"$home/db/at-stop"
[ "$last" -ge "$promised" ] || fail "row $promised was acknowledged, but the last row is $last"
