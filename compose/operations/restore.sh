#!/usr/bin/env bash
# Puts back what compose/operations/backup.sh wrote: Alertmanager's silences, Grafana's database, Prometheus' history.
# (Supercheck's database is restored by compose/backup/restore.sh, which is another matter.)
#
#   compose/operations/restore.sh FILE                          where nothing of the bundle runs
#   compose/operations/restore.sh FILE --yes                    stops what runs, replaces what it holds, starts it again
#   compose/operations/restore.sh FILE --passphrase-file FILE   also the secrets, compose/.env and compose/secrets: of those
#                                                               last two only files that are missing
#   compose/operations/restore.sh FILE --without-history
#
# The file is checked whole before anything is touched, and each store is unpacked beside the old one before that goes.
# Exit status: 0 restored, 1 it was not, 2 it can't begin.
set -euo pipefail
. "$(dirname "$0")/common.sh"

FILE='' YES='' HISTORY=1 PASSPHRASE=''
while [ $# -gt 0 ]; do
    case $1 in
        --yes) YES=1 ;;
        --without-history) HISTORY='' ;;
        --passphrase-file) [ $# -gt 1 ] || die "--passphrase-file needs a file."; PASSPHRASE=$(given "$2"); shift ;;
        -h | --help) usage ;;
        -*) die "unknown: $1 (--help says what there is)." ;;
        *) [ -z "$FILE" ] || die "one file, not $FILE and $1."; FILE=$(given "$1") ;;
    esac
    shift
done
[ -n "$FILE" ] || usage 2
[ -f "$FILE" ] || die "$FILE is no file."
need_docker
[ -z "$PASSPHRASE" ] || need_gpg "$PASSPHRASE"
umask 077
WORK=$(mktemp -d)
mkdir "$WORK/settings"
STOPPED=''
finish() {
    local code=$?
    rm -rf "$WORK"
    end_gpg
    # shellcheck disable=SC2086  # a list of words
    if [ -n "$STOPPED" ]; then "${COMPOSE[@]}" start $STOPPED >/dev/null 2>&1 || code=1; fi
    exit "$code"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
fail() { echo "restore: $*" >&2; exit 1; }

# ---- is it whole?

tar -xOf "$FILE" MANIFEST >"$WORK/MANIFEST" 2>/dev/null || fail "$FILE is no backup of this bundle. Nothing was changed."
grep -qx 'format 1' "$WORK/MANIFEST" || fail "$FILE was written by another version ($(head -n 1 "$WORK/MANIFEST")). Nothing was changed."
part() { # NAME: to standard output, in the clear
    case $1 in
        *.gpg) tar -xOf "$FILE" "$1" | gpg_with "$PASSPHRASE" --decrypt ;;
        *) tar -xOf "$FILE" "$1" ;;
    esac
}
while read -r word name sum; do
    [ "$word" = part ] || continue
    [ "$(tar -xOf "$FILE" "$name" 2>/dev/null | sha)" = "$sum" ] || fail "$name in $FILE is not what was written. Nothing was changed."
    case $name in *.gpg) [ -n "$PASSPHRASE" ] || continue ;; esac
    part "$name" 2>/dev/null | tar -tf - >/dev/null 2>&1 || fail "$name in $FILE can't be read$(
        case $name in *.gpg) echo ": is it the right passphrase?" ;; *) echo "." ;; esac) Nothing was changed."
done <"$WORK/MANIFEST"
has() { grep -q "^part $1 " "$WORK/MANIFEST"; }

# ---- may it?

RUNNING=$(running | tr '\n' ' ')
if [ -n "${RUNNING// /}" ] && [ -z "$YES" ]; then
    fail "the bundle runs (${RUNNING% }). Stop it (docker compose -f compose/compose.yaml down), or say --yes: then it is stopped, what it holds is replaced, and it is started again. Nothing was changed."
fi

# ---- settings first: they say which images and volumes there are

if has settings.tar.gpg && [ -n "$PASSPHRASE" ]; then
    part settings.tar.gpg | tar -C "$WORK/settings" -xf -
    while IFS= read -r name; do
        if [ -e "compose/$name" ]; then
            cmp -s "compose/$name" "$WORK/settings/$name" || echo "compose/$name is yours and stays; the one in the backup differs"
            continue
        fi
        mkdir -p "$(dirname "compose/$name")"
        case $name in secrets/*) chmod 755 "$(dirname "compose/$name")" ;; esac
        cp -p "$WORK/settings/$name" "compose/$name"
        echo "compose/$name: restored"
    done <<<"$(cd "$WORK/settings" && find . -type f | sed 's|^\./||' | sort)"
fi

IMAGE=$(tool_image)
if [ -n "${RUNNING// /}" ]; then
    STOPPED=$RUNNING
    # by their names: else the services of profiles would go on
    # shellcheck disable=SC2086  # a list of words
    "${COMPOSE[@]}" stop $RUNNING >/dev/null 2>&1
fi
# volumes take their owners from the images, so they are made before they are filled
NEEDED=(alertmanager grafana prometheus)
if has front.tar.gpg && [ -n "$PASSPHRASE" ]; then NEEDED+=(front); fi
"${COMPOSE[@]}" up --no-start "${NEEDED[@]}" >"$WORK/said" 2>&1 || fail "compose can't make the volumes: $(tail -n 3 "$WORK/said" | tr '\n' ' ')"

# the old data goes when the new one lies beside it
UNPACK='set -e; cd /data; rm -rf .restored; mkdir .restored; tar -C .restored -xf -
find . -mindepth 1 -maxdepth 1 ! -name .restored -exec rm -rf {} +
find .restored -mindepth 1 -maxdepth 1 -exec mv {} . \;; rmdir .restored'
put() { # VOLUME USER PART
    local volume
    volume=$(volume_of "$1")
    [ -n "$volume" ] || fail "there is no volume $1, though compose has made its volumes."
    part "$3" | in_volume "$2" "$volume" rw sh -c "$UNPACK" || fail "$1 could not be unpacked; what it held is still there unless the disk is full."
    echo "$1: restored"
}
while read -r volume _ user; do
    if [ "$volume" = prometheus ] && [ -z "$HISTORY" ]; then continue; fi
    if has "$volume.tar"; then put "$volume" "$user" "$volume.tar"; else echo "$volume: not in the backup, left as it is"; fi
done <<<"$STORES"
while read -r volume _ user; do
    has "$volume.tar.gpg" || continue
    if [ -n "$PASSPHRASE" ]; then put "$volume" "$user" "$volume.tar.gpg"; else echo "$volume: needs --passphrase-file, left as it is"; fi
done <<<"$SECRET_STORES"
if [ -n "$STOPPED" ]; then echo "What ran is started again."; else echo "Start it: docker compose -f compose/compose.yaml up -d"; fi
