#!/usr/bin/env bash
# Backs up the state of this bundle itself into one file: Alertmanager's silences, Grafana's database, Prometheus' history.
# (Supercheck's database is backed up by the profile `backup`, which is another matter: compose/backup/README.md.)
#
#   compose/operations/backup.sh                                all three, into backups/ here
#   compose/operations/backup.sh --to FOLDER
#   compose/operations/backup.sh --without-history              without Prometheus' data, which is most of it
#   compose/operations/backup.sh --passphrase-file FILE         also compose/.env, compose/secrets and what was generated,
#                                                               encrypted by gpg; without it no secret is in the file
#
# Each part is stopped, copied and started again, one after the other: Alertmanager writes its silences when it ends, and a
# copy of a database that runs may be torn. Nothing is watched while Prometheus is away, which is as long as its copy takes.
# Exit status: 0 written and verified, 1 it was not (what ran runs again), 2 it can't begin.
set -euo pipefail
. "$(dirname "$0")/common.sh"

TO=backups HISTORY=1 PASSPHRASE=''
while [ $# -gt 0 ]; do
    case $1 in
        --to) [ $# -gt 1 ] || die "--to needs a folder."; TO=$(given "$2"); shift ;;
        --without-history) HISTORY='' ;;
        --passphrase-file) [ $# -gt 1 ] || die "--passphrase-file needs a file."; PASSPHRASE=$(given "$2"); shift ;;
        -h | --help) usage ;;
        *) die "unknown: $1 (--help says what there is)." ;;
    esac
    shift
done
need_docker
[ -z "$PASSPHRASE" ] || need_gpg "$PASSPHRASE"
IMAGE=$(tool_image)
umask 077
mkdir -p "$TO" || die "$TO can't be made."
NAME=supercheck-observability-$(date -u +%Y%m%dT%H%M%SZ).tar
[ ! -e "$TO/$NAME" ] || die "$TO/$NAME is there already."
WORK=$(mktemp -d "$TO/.backup.XXXXXX")
AWAY=''
finish() {
    local code=$?
    if [ -n "$AWAY" ] && ! "${COMPOSE[@]}" start "$AWAY" >/dev/null; then
        echo "backup: $AWAY was stopped and does not start: docker compose -f compose/compose.yaml up -d $AWAY" >&2
        code=1
    fi
    rm -rf "$WORK"
    end_gpg
    if [ "$code" != 0 ]; then echo "backup: nothing was written." >&2; fi
    exit "$code"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

RUNNING=$(running)
PARTS=''
copy() { # VOLUME SERVICE USER [encrypted]
    local volume file=$1.tar
    volume=$(volume_of "$1")
    if [ -z "$volume" ]; then
        echo "$1: there is no such volume, left out"
        return
    fi
    if printf '%s\n' "$RUNNING" | grep -qx -- "$2"; then
        AWAY=$2
        "${COMPOSE[@]}" stop "$2" >/dev/null 2>&1
    fi
    if [ -n "${4-}" ]; then
        in_volume "$3" "$volume" ro tar -C /data -cf - . </dev/null | gpg_with "$PASSPHRASE" --symmetric --cipher-algo AES256 >"$WORK/$file.gpg"
        file=$file.gpg
    else
        in_volume "$3" "$volume" ro tar -C /data -cf - . </dev/null >"$WORK/$file"
    fi
    if [ -n "$AWAY" ]; then
        "${COMPOSE[@]}" start "$AWAY" >/dev/null 2>&1
        AWAY=''
    fi
    PARTS="$PARTS $file"
    echo "$1: $(wc -c <"$WORK/$file" | tr -d ' ') bytes"
}

while read -r volume service user; do
    if [ "$volume" = prometheus ] && [ -z "$HISTORY" ]; then continue; fi
    copy "$volume" "$service" "$user"
done <<<"$STORES"
if [ -n "$PASSPHRASE" ]; then
    while read -r volume service user; do copy "$volume" "$service" "$user" encrypted; done <<<"$SECRET_STORES"
    (cd compose && find .env secrets -type f ! -name '*.example' ! -name README.md ! -name .gitignore 2>/dev/null | sort) >"$WORK/list"
    tar -C compose -cf - -T "$WORK/list" | gpg_with "$PASSPHRASE" --symmetric --cipher-algo AES256 >"$WORK/settings.tar.gpg"
    PARTS="$PARTS settings.tar.gpg"
    echo "settings: $(wc -l <"$WORK/list" | tr -d ' ') files of compose/.env and compose/secrets"
else
    echo "secrets and compose/.env are left out (--passphrase-file takes them in, encrypted)"
fi
[ -n "$PARTS" ] || { echo "There is nothing to back up: no volume of the bundle was found." >&2; exit 1; }

# one file; each part is removed when it is in, so that the disk holds the biggest one twice and no more
{
    echo "format 1"
    echo "made $(date -u +%Y-%m-%dT%H:%M:%SZ)"
    "${COMPOSE[@]}" config --images | sort -u | sed 's/^/image /'
    for file in $PARTS; do echo "part $file $(sha "$WORK/$file")"; done
} >"$WORK/MANIFEST"
tar -C "$WORK" -cf "$WORK/whole" MANIFEST
for file in $PARTS; do
    tar -C "$WORK" -rf "$WORK/whole" "$file"
    rm "$WORK/$file"
done

# read back as a restore would
while read -r word file sum; do
    [ "$word" = part ] || continue
    [ "$(tar -xOf "$WORK/whole" "$file" | sha)" = "$sum" ] || { echo "$file was not written as it was read: is the disk full?" >&2; exit 1; }
    case $file in
        *.gpg) tar -xOf "$WORK/whole" "$file" | gpg_with "$PASSPHRASE" --decrypt | tar -tf - >/dev/null ;;
        *) tar -xOf "$WORK/whole" "$file" | tar -tf - >/dev/null ;;
    esac || { echo "$file can't be read back." >&2; exit 1; }
done <"$WORK/MANIFEST"
mv "$WORK/whole" "$TO/$NAME"
echo "$TO/$NAME: $(wc -c <"$TO/$NAME" | tr -d ' ') bytes, read back and well"
