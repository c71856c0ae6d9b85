#!/bin/sh
# Starts the web server; returns when it answers. One that runs already is left alone.
set -eu
. "$(dirname -- "$0")/common.sh"

python3 "$bin/web.py" start "$home"
