# Read by the scripts beside it. Says where things are:
#   $bin   these scripts
#   $home  everything that the services keep: the first argument, else $BACKUP_NET_HOME, else the parent of $bin

bin=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
home=${1:-${BACKUP_NET_HOME:-$(dirname -- "$bin")}}
mkdir -p -- "$home"
home=$(CDPATH='' cd -- "$home" && pwd)

export PYTHONDONTWRITEBYTECODE=1

# Backups of one kind that are kept; the oldest beyond that are deleted.
BACKUPS_MAX=5

fail() {
    printf '%s: %s\n' "$(basename -- "$0")" "$1" >&2
    exit 1
}

# Whether the service that keeps its files in the directory $1 runs.
running() {
    python3 "$bin/service.py" running "$1"
}

fingerprint() {
    python3 "$bin/fingerprint.py" "$1" "$2"
}

# Moves the archive $2 into place as the newest backup of kind $1, with its checksum and the record $3 of what
# there was. The name of the newest is written last: a backup that is not complete is not one.
backup_keep() {
    name=$1-$(date -u +%Y%m%dT%H%M%SZ)-$$.tar.gz
    fingerprint file "$2" >"$home/backup/$name.sha256"
    printf '%s\n' "$3" >"$home/backup/$name.expected"
    mv -- "$2" "$home/backup/$name"
    printf '%s\n' "$name" >"$home/backup/$1.newest.new"
    mv -- "$home/backup/$1.newest.new" "$home/backup/$1.newest"
    ls -t -- "$home/backup" | grep "^$1-.*\.tar\.gz\$" | tail -n "+$((BACKUPS_MAX + 1))" | while read -r old; do
        rm -f -- "$home/backup/$old" "$home/backup/$old.sha256" "$home/backup/$old.expected"
    done
    printf '%s: %s, %s bytes\n' "$1" "$home/backup/$name" "$(wc -c <"$home/backup/$name" | tr -d ' ')"
}
