#!/bin/sh
# Becomes one node of the cluster: the shared settings, its own name, and the password from its file.
#   NODE                 the name at which clients and the other nodes reach it
#   NODE_MAXMEMORY       Redis's maxmemory, below the container's limit
#   REDIS_PASSWORD_FILE  the one password of all nodes
#   DATA_DIR             where it keeps its data, and who else is in the cluster
#   CONF_DIR             where the whole configuration is written, for this user only; it holds the password
# Further arguments are options of redis-server.
set -eu
umask 077

# a folder: Docker makes one where the file to mount is missing
if ! [ -f "${REDIS_PASSWORD_FILE:?is not set}" ] || ! [ -s "$REDIS_PASSWORD_FILE" ]; then
    echo "$REDIS_PASSWORD_FILE is missing or empty: write the cluster's password into that file" >&2
    exit 1
fi
quoted=$(head -n 1 "$REDIS_PASSWORD_FILE" | sed 's/[\\"]/\\&/g')
conf=${CONF_DIR:-/tmp}/redis.conf

cat "$(dirname "$0")/redis.conf" - >"$conf" <<EOF
cluster-announce-hostname ${NODE:?is not set}
dir ${DATA_DIR:-/data}
maxmemory ${NODE_MAXMEMORY:-200mb}
requirepass "$quoted"
masterauth "$quoted"
EOF
exec redis-server "$conf" "$@"
