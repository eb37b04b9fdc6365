#!/bin/sh
# Makes a login and a certificate where none are given, nginx.conf of the template and the settings, and becomes nginx. Says
# what is wrong with a setting before that. Settings and their meaning: README.md beside this.
set -eu

here=$(dirname "$0")
public=${PUBLIC_URL:-https://localhost:8443}
exporter=${FRONT_EXPORTER:-exporter:9820}
grafana=${FRONT_GRAFANA:-grafana:3000}
alertmanager=${FRONT_ALERTMANAGER:-alertmanager:9093}
prometheus=${FRONT_PROMETHEUS:-prometheus:9090}
tries=${FRONT_TRIES_PER_MINUTE:-10}
trusted=${FRONT_TRUSTED_PROXIES:-}
listen=${FRONT_LISTEN:-8443}
health=${FRONT_HEALTH:-127.0.0.1:8081}
resolver=${FRONT_RESOLVER:-127.0.0.11} # Docker's own
remembered=${FRONT_REMEMBERED:-1m}
run=${FRONT_RUN_FOLDER:-/tmp/front}
state=${FRONT_STATE_FOLDER:-/var/lib/supercheck-front}
secrets=${FRONT_SECRETS_FOLDER:-/run/secrets}
types=/etc/nginx/mime.types

die() { echo "front: $*" >&2; exit 2; }
say() { echo "front: $*" >&2; }
like() { # name, value, extended regular expression, what is allowed
    printf '%s' "$2" | grep -Eqx "$3" || die "$1: read \"$2\", allowed is $4."
}
address='[A-Za-z0-9._-]+:[0-9]{1,5}'
like PUBLIC_URL "$public" 'https://([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?/?' 'https://HOST or https://HOST:PORT, since the front speaks TLS and begins at /'
like FRONT_EXPORTER "$exporter" "$address" 'HOST:PORT'
like FRONT_GRAFANA "$grafana" "$address" 'HOST:PORT'
like FRONT_ALERTMANAGER "$alertmanager" "$address" 'HOST:PORT'
like FRONT_PROMETHEUS "$prometheus" "$address" 'HOST:PORT'
like FRONT_TRIES_PER_MINUTE "$tries" '[1-9][0-9]{0,3}' 'a whole number from 1 to 9999'
like FRONT_LISTEN "$listen" '([A-Za-z0-9.]+:|\[[0-9a-f:]+\]:)?[0-9]{1,5}' 'a port, or ADDRESS:PORT'
like FRONT_RESOLVER "$resolver" '[0-9a-f.:]+(\[[0-9a-f:]+\])?' 'the address of a name server'
[ -z "$trusted" ] || like FRONT_TRUSTED_PROXIES "$trusted" '[0-9a-f.:/]+(,[0-9a-f.:/]+)*' 'networks, separated by commas'
[ -w "$state" ] || die "the folder $state can't be written: mount a volume there that belongs to this user."
umask 077
mkdir -p "$run/nothing"
rm -f "$run/judge.sock" # of a process that was killed

# ---- the login

if [ -e "$secrets/users" ]; then
    users=$secrets/users
    [ -r "$users" ] || die "compose/secrets/front/users can't be read: chmod 644, and 755 for its folder."
    grep -Eq '^[^:#]+:[^:]+' "$users" || die "compose/secrets/front/users has no line NAME:HASH. Make one: openssl passwd -6"
    ! grep -Eq '^[^:#]+:(\{PLAIN\}|[^$:{][^:]{0,12}(:|$))' "$users" \
        || die "compose/secrets/front/users holds a password that is not hashed. Make a hash: openssl passwd -6"
else
    users=$state/users
    if [ ! -s "$users" ] || [ ! -s "$state/password" ]; then
        head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$state/password"
        printf 'admin:%s\n' "$(openssl passwd -6 -stdin <"$state/password")" >"$users.new"
        mv "$users.new" "$users"
        say "a login was made: the user is admin, the password is in $state/password"
    fi
fi

# ---- the certificate

name=$(printf '%s' "$public" | sed -e 's|^https://||' -e 's|/$||' -e 's|:[0-9]*$||' -e 's|^\[\(.*\)\]$|\1|')
hsts=''
if [ -e "$secrets/tls.crt" ] || [ -e "$secrets/tls.key" ]; then
    certificate=$secrets/tls.crt key=$secrets/tls.key
    for file in tls.crt tls.key; do
        [ -r "$secrets/$file" ] || die "compose/secrets/front/$file is missing or can't be read: both tls.crt and tls.key are needed (chmod 644)."
    done
    openssl x509 -in "$certificate" -noout -checkend 0 >/dev/null 2>&1 \
        || die "compose/secrets/front/tls.crt is no certificate, or its time is over: renew it, or remove both files and one is made."
    [ "$(openssl x509 -in "$certificate" -noout -pubkey)" = "$(openssl pkey -in "$key" -pubout 2>/dev/null)" ] \
        || die "compose/secrets/front/tls.key is not the key of tls.crt."
    hsts='add_header Strict-Transport-Security "max-age=31536000" always;'
else
    certificate=$state/tls.crt key=$state/tls.key
    # also where the name has changed, or its year is nearly over
    case $name in *[!0-9.:a-fA-F]* | *[a-zA-Z]*.*) kind=DNS ;; *[.:]*) kind=IP ;; *) kind=DNS ;; esac
    # one that is still good is kept, since browsers remember an exception
    if ! { openssl x509 -in "$certificate" -noout -checkend 2592000 >/dev/null 2>&1 && [ "$(cat "$state/tls.name" 2>/dev/null)" = "$name" ]; }; then
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 397 -subj "/CN=observability" \
            -addext "subjectAltName=$kind:$name,DNS:localhost,IP:127.0.0.1" -addext "basicConstraints=critical,CA:FALSE" \
            -addext "extendedKeyUsage=serverAuth" \
            -keyout "$key" -out "$certificate" 2>"$run/openssl.log" || { cat "$run/openssl.log" >&2; die "no certificate could be made."; }
        printf '%s' "$name" >"$state/tls.name"
        say "a certificate for $name was made, which browsers ask about; put your own into compose/secrets/front"
    fi
fi

# ---- nginx

from=''
for network in $(printf '%s' "$trusted" | tr ',' ' '); do from="$from set_real_ip_from $network;"; done
headers="add_header X-Content-Type-Options nosniff always; add_header Referrer-Policy same-origin always; $hsts"
sed -e "s|@LISTEN@|$listen|g" -e "s|@HEALTH@|$health|g" -e "s|@RESOLVER@|$resolver|g" -e "s|@TRIES@|$tries|g" \
    -e "s|@EXPORTER@|$exporter|g" -e "s|@GRAFANA@|$grafana|g" -e "s|@ALERTMANAGER@|$alertmanager|g" \
    -e "s|@PROMETHEUS@|$prometheus|g" -e "s|@USERS@|$users|g" -e "s|@CERTIFICATE@|$certificate|g" -e "s|@KEY@|$key|g" \
    -e "s|@REMEMBERED@|$remembered|g" -e "s|@TRUSTED@|$from|g" -e "s|@RUN@|$run|g" -e "s|@TYPES@|$types|g" \
    -e "s|@HEADERS@|$headers|g" "$here/nginx.conf.template" >"$run/nginx.conf"

# A certificate that was renewed is taken over without a restart. Users are read at each question.
follow_certificate() {
    seen=$(cksum "$certificate" "$key")
    while kill -0 $$ 2>/dev/null && sleep "${FRONT_CHECK_SECONDS:-60}"; do # $$ is nginx by then
        now=$(cksum "$certificate" "$key" 2>/dev/null) || continue
        if [ "$now" != "$seen" ]; then
            kill -HUP "$(cat "$run/nginx.pid")"
            seen=$now
        fi
    done
}
follow_certificate &
exec nginx -e stderr -c "$run/nginx.conf" -g 'daemon off;'
