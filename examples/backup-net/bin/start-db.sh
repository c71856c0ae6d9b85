#!/bin/sh
# Starts the database and the client that writes to it all the time; returns when the database answers.
# What runs already is left alone.
set -eu
. "$(dirname -- "$0")/common.sh"

python3 "$bin/db.py" start "$home"
python3 "$bin/writer.py" start "$home"
