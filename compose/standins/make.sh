#!/usr/bin/env bash
# Stand-ins for the images of compose.yaml on a machine that reaches Debian's packages and no registry of images: the same
# names and tags, Debian's programs inside. They prove that the compose files work, not that the real images do.
#
#   compose/standins/make.sh [redis] [postgres] [pgbouncer]     all of them where none is named; needs root and a docker
#
# One root file system of Debian 12 with the programs is made once and kept in ~/.cache (2 to 3 minutes, 160 MB); each
# image is an import of it. What differs from the real ones: Redis 7.0, PostgreSQL 15 and PgBouncer 1.18.
set -euo pipefail

cd "$(dirname "$0")/../.."
CACHE="$HOME/.cache/supercheck-observability/standins"
ROOTFS=$CACHE/bookworm-1.tar # another number where what is in it changes
PACKAGES=redis-server,redis-tools,postgresql,postgresql-client,pgbouncer,ca-certificates

say() { printf 'standins: %s\n' "$*"; }
die() { printf 'standins: %s\n' "$*" >&2; exit 1; }

# The tag of an image as compose.yaml pins it.
pinned() { sed -n "s|^ *image: $1:\${[A-Z_]*:-\(.*\)}\$|\1|p" compose/compose.yaml compose/*/compose.yaml | sort -u; }

make_rootfs() {
    if [ -f "$ROOTFS" ]; then return; fi
    command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
    [ "$(id -u)" = 0 ] || die "debootstrap needs root"
    local scratch mirror
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064  # now, not then
    trap "rm -rf '$scratch'" EXIT
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
    say "Debian 12 with $PACKAGES (2 to 3 minutes)"
    debootstrap --variant=minbase --include="$PACKAGES" bookworm "$scratch/system" "$mirror" >"$scratch/log" 2>&1 \
        || { tail -n 20 "$scratch/log" >&2; die "debootstrap failed"; }
    chroot "$scratch/system" apt-get clean
    rm -rf "$scratch"/system/var/lib/apt/lists/* "$scratch"/system/var/lib/postgresql/15/main "$scratch"/system/usr/share/doc/*
    # the user of the Redis image, and the folders that the images' volumes take their owner from
    chroot "$scratch/system" sh -c 'usermod -u 999 redis && groupmod -g 999 redis' 2>/dev/null || true
    install -d -o 999 -g 999 "$scratch/system/data"
    ln -sf ../lib/postgresql/15/bin/postgres "$scratch/system/usr/bin/postgres"
    ln -sf ../sbin/pgbouncer "$scratch/system/usr/bin/pgbouncer"
    cat >"$scratch/system/usr/local/bin/postgres-entrypoint" <<'EOF'
#!/bin/sh
# As the image does it: at the first start a cluster with POSTGRES_PASSWORD for its superuser, then the server.
set -eu
data=/var/lib/postgresql/data
if [ ! -s $data/PG_VERSION ]; then
    install -d -o postgres -g postgres -m 700 $data
    echo "${POSTGRES_PASSWORD:?is not set}" >/run/password
    chown postgres /run/password
    setpriv --reuid=postgres --regid=postgres --init-groups /usr/lib/postgresql/15/bin/initdb -D $data -U postgres \
        --auth-host=scram-sha-256 --pwfile=/run/password >/dev/null
    echo "host all all all scram-sha-256" >>$data/pg_hba.conf
    rm /run/password
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -D $data -c 'listen_addresses=*' \
    -c unix_socket_directories=/tmp "$@"
EOF
    chmod 755 "$scratch/system/usr/local/bin/postgres-entrypoint"
    mkdir -p "$CACHE"
    tar -C "$scratch/system" -cf "$ROOTFS.new" .
    mv "$ROOTFS.new" "$ROOTFS"
}

# import NAME:TAG CHANGE...: an image of the root file system with these lines of a Dockerfile.
import() {
    local image=$1
    shift
    local changes=()
    for change in "$@"; do changes+=(--change "$change"); done
    docker import "${changes[@]}" "$ROOTFS" "$image" >/dev/null
    say "$image"
}

docker version >/dev/null 2>&1 || die "no docker answers: start dockerd, or set DOCKER_HOST"
make_rootfs
for name in "${@:-redis}" $([ $# -gt 0 ] || echo postgres pgbouncer); do
    case $name in
        redis) import "redis:$(pinned redis)" 'WORKDIR /data' 'CMD ["redis-server"]' ;;
        # what Supercheck's own compose file runs beside us
        postgres) import "postgres:18" 'ENTRYPOINT ["postgres-entrypoint"]' ;;
        pgbouncer)
            import "supercheck-pgbouncer:$(pinned supercheck-pgbouncer)" 'USER 65533:65533' \
                'CMD ["pgbouncer", "/etc/supercheck-pgbouncer/pgbouncer.ini"]'
            ;;
        *) die "no stand-in for $name" ;;
    esac
done
