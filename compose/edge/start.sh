#!/bin/sh
# Makes nginx.conf of the template and the settings, and becomes nginx. Says what is wrong with a setting before that.
# Settings and their meaning: README.md beside this.
set -eu

here=$(dirname "$0")
app=${EDGE_APP:-app:3000}
listen=${EDGE_LISTEN:-8080}
resolver=${EDGE_RESOLVER:-127.0.0.11} # Docker's own
public=${EDGE_PUBLIC_PER_MINUTE:-100}
authenticated=${EDGE_AUTHENTICATED_PER_MINUTE:-500}
admin=${EDGE_ADMIN_PER_MINUTE:-1000}
cache_time=${EDGE_CACHE_TIME:-24h}
cache_size=${EDGE_CACHE_SIZE:-10g}
trusted=${EDGE_TRUSTED_PROXIES:-}
run=${EDGE_RUN_FOLDER:-/tmp/edge}
cache=${EDGE_CACHE_FOLDER:-/var/cache/supercheck-edge}
log=${EDGE_LOG_FOLDER:-/var/log/supercheck-edge}
secrets=${EDGE_SECRETS_FOLDER:-/run/secrets}
log_bytes=${EDGE_LOG_BYTES:-50000000}
types=/etc/nginx/mime.types

die() { echo "edge: $*" >&2; exit 2; }
number() {
    case $2 in '' | *[!0-9]* | 0*) die "$1: read \"$2\", allowed is a whole number over 0." ;; esac
}
# a whole minute's allowance may be used up at once; nginx counts the burst beyond the first request
burst() { if [ "$1" -gt 1 ]; then echo "burst=$(($1 - 1))"; fi; }
like() { # name, value, extended regular expression, what is allowed
    printf '%s' "$2" | grep -Eqx "$3" || die "$1: read \"$2\", allowed is $4."
}

number EDGE_PUBLIC_PER_MINUTE "$public"
number EDGE_AUTHENTICATED_PER_MINUTE "$authenticated"
number EDGE_ADMIN_PER_MINUTE "$admin"
number EDGE_LOG_BYTES "$log_bytes"
like EDGE_APP "$app" '[A-Za-z0-9._-]+:[0-9]{1,5}' 'HOST:PORT'
like EDGE_LISTEN "$listen" '([A-Za-z0-9.]+:|\[[0-9a-f:]+\]:)?[0-9]{1,5}' 'a port, or ADDRESS:PORT'
like EDGE_RESOLVER "$resolver" '[0-9a-f.:]+(\[[0-9a-f:]+\])?' 'the address of a name server'
like EDGE_CACHE_TIME "$cache_time" '[1-9][0-9]*[smhd]' 'a time such as 24h'
like EDGE_CACHE_SIZE "$cache_size" '[1-9][0-9]*[mg]' 'a size such as 10g'
[ -z "$trusted" ] || like EDGE_TRUSTED_PROXIES "$trusted" '[0-9a-f.:/]+(,[0-9a-f.:/]+)*' 'networks, separated by commas'
for folder in "$cache" "$log"; do
    [ -w "$folder" ] || die "the folder $folder can't be written: mount a volume there that belongs to this user."
done

from='' geo=''
for network in $(printf '%s' "$trusted" | tr ',' ' '); do
    from="$from set_real_ip_from $network;"
    geo="$geo $network 1;"
done
forget='' marks=''
for name in Tier Key Client Scheme Host Refresh; do forget="${forget}proxy_set_header X-Edge-$name \"\"; "; done
marks='add_header X-Edge-Cache $upstream_cache_status always; add_header X-Edge-Kind $edge_kind always; '
marks="${marks}add_header X-Edge-Refusal \$edge_refusal always;"
not_200='300 301 302 303 304 307 308 400 401 402 403 404 405 406 408 409 410 411 412 413 414 415 422 423 426 428 429 431'
not_200="$not_200 451 500 501 502 503 504 505 507 508 511"

umask 022
mkdir -p "$run"
rm -f "$run/hall.sock" # of a process that was killed
sed -e "s|@APP@|$app|g" -e "s|@LISTEN@|$listen|g" -e "s|@RESOLVER@|$resolver|g" \
    -e "s|@PUBLIC@|$public|g" -e "s|@AUTHENTICATED@|$authenticated|g" -e "s|@ADMIN@|$admin|g" \
    -e "s|@PUBLIC_BURST@|$(burst "$public")|g" -e "s|@AUTHENTICATED_BURST@|$(burst "$authenticated")|g" \
    -e "s|@ADMIN_BURST@|$(burst "$admin")|g" -e "s|@CACHE_TIME@|$cache_time|g" -e "s|@CACHE_SIZE@|$cache_size|g" \
    -e "s|@TRUSTED@|$from|g" -e "s|@TRUSTED_GEO@|$geo|g" -e "s|@RUN@|$run|g" -e "s|@CACHE@|$cache|g" \
    -e "s|@LOG@|$log/access.log|g" -e "s|@SECRETS@|$secrets|g" -e "s|@TYPES@|$types|g" \
    -e "s|@FORGET@|$forget|g" -e "s|@MARKS@|$marks|g" -e "s|@NOT_200@|$not_200|g" \
    "$here/nginx.conf.template" >"$run/nginx.conf"

# The log is read by the exporter and by nobody else: two files of this size at most.
keep_short() {
    while kill -0 $$ 2>/dev/null && sleep "${EDGE_LOG_CHECK_SECONDS:-30}"; do # $$ is nginx by then
        size=$(wc -c <"$log/access.log" 2>/dev/null || echo 0)
        if [ "$size" -gt "$log_bytes" ]; then
            mv "$log/access.log" "$log/access.log.1"
            kill -USR1 "$(cat "$run/nginx.pid")"
        fi
    done
}
keep_short &
# SIGQUIT would be nginx's gentle end; Docker sends SIGTERM, which is soon enough for requests of a web page.
exec nginx -e stderr -c "$run/nginx.conf" -g 'daemon off;'
