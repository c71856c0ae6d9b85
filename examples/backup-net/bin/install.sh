#!/bin/sh
# install.sh HOME: puts the scripts into HOME/bin, where the job net looks for them, and starts both services.
set -eu
[ $# -eq 1 ] || { echo "usage: install.sh HOME" >&2; exit 2; }
. "$(dirname -- "$0")/common.sh"

if [ "$bin" != "$home/bin" ]; then
    mkdir -p -- "$home/bin"
    cp -- "$bin"/*.sh "$bin"/*.py "$home/bin/"
fi
"$home/bin/start-db.sh"
"$home/bin/start-web.sh"
