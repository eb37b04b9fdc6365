# stands for postgres
FROM @DEBIAN@
# the image's own user and group, before Debian's package makes others
RUN groupadd -r -g 999 postgres && useradd -r -u 999 -g postgres -d /var/lib/postgresql postgres \
    && apt-get update \
    && apt-get install -y --no-install-recommends postgresql postgresql-client gosu \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15/main \
    && for name in /usr/lib/postgresql/15/bin/*; do ln -sf "$name" /usr/local/bin/; done \
    && install -d -o postgres -g postgres -m 1777 /var/run/postgresql /docker-entrypoint-initdb.d \
    && install -d -o postgres -g postgres -m 700 /var/lib/postgresql/18/docker
ENV LANG=C.UTF-8 PGDATA=/var/lib/postgresql/18/docker
# as the image's entry point: a cluster with POSTGRES_PASSWORD at the first start, then the scripts of initdb.d, then the server
RUN printf '%s\n' '#!/bin/bash' 'set -eu' \
    'if [ "$(id -u)" = 0 ]; then chown -R postgres "$PGDATA"; exec gosu postgres "$0" "$@"; fi' \
    'if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE"); fi' \
    'user=${POSTGRES_USER:-postgres} how=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}' \
    'if [ "$how" != trust ]; then : "${POSTGRES_PASSWORD:?}"; fi' \
    'if [ ! -s "$PGDATA/PG_VERSION" ]; then' \
    '    initdb -D "$PGDATA" -U "$user" --auth-local=trust --auth-host="$how" --pwfile=<(echo "${POSTGRES_PASSWORD:-none}") >/dev/null' \
    '    echo "host all all all $how" >>"$PGDATA/pg_hba.conf"' \
    '    pg_ctl -D "$PGDATA" -o "-c listen_addresses= ${*:2}" -w start >/dev/null' \
    '    [ "${POSTGRES_DB:-$user}" = postgres ] || createdb -U "$user" "${POSTGRES_DB:-$user}"' \
    '    for file in /docker-entrypoint-initdb.d/*; do' \
    '        case $file in *.sh) . "$file" ;; *.sql) psql -v ON_ERROR_STOP=1 -U "$user" -d "${POSTGRES_DB:-$user}" -f "$file" ;; esac' \
    '    done' \
    '    pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null' \
    'fi' \
    'exec postgres -D "$PGDATA" -c "listen_addresses=*" "${@:2}"' >/usr/local/bin/docker-entrypoint.sh \
    && chmod 755 /usr/local/bin/docker-entrypoint.sh
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
