#!/bin/sh
# Forms the cluster, and mends what a restart can break in it. It looks again and again; where all is well it changes nothing.
#   NODES                host:port of every node, or host:port:bus-port; the first half become masters
#   REDIS_PASSWORD_FILE  the one password of all nodes
#   ONCE=1               end when the cluster is whole (default: go on watching)
#   STATE_DIR            where the file `whole` stands while it is (the container's health)
# Why not `redis-cli --cluster create`: it takes no names, and refuses a cluster that is half made.
set -eu

nodes=${NODES:?is not set}
state=${STATE_DIR:-/tmp}
REDISCLI_AUTH=$(head -n 1 "${REDIS_PASSWORD_FILE:?is not set}")
export REDISCLI_AUTH

total=$(echo "$nodes" | wc -w)
masters=$((total / 2))
said=

say() { # the same thing only once
    [ "$said" = "$*" ] || echo "$*"
    said=$*
}

host() { echo "${1%%:*}"; }
port() { echo "$1" | cut -d: -f2; }
bus() { echo "$1" | cut -sd: -f3; }
address() { getent ahostsv4 "$(host "$1")" | awk 'NR == 1 { print $1 }'; }
on() { # NODE COMMAND...: errors go to standard output too, as redis-cli does it
    node=$1
    shift
    redis-cli -h "$(host "$node")" -p "$(port "$node")" "$@" 2>&1 | tr -d '\r'
}
fact() { on "$1" CLUSTER INFO | sed -n "s/^cluster_$2://p"; }

# One look. Fails while the cluster is not whole.
look() {
    reachable= missing= assigned=0
    for one in $nodes; do
        if [ "$(on "$one" PING)" = PONG ]; then
            reachable="$reachable $one"
            count=$(fact "$one" slots_assigned)
            [ "${count:-0}" -le "$assigned" ] || assigned=$count
        else
            missing="$missing $(host "$one")"
        fi
    done
    if [ -z "$reachable" ] || { [ "$assigned" -lt 16384 ] && [ -n "$missing" ]; }; then
        say "waiting for$missing"
        return 1
    fi
    meet
    if [ "$assigned" -lt 16384 ]; then
        for one in $reachable; do
            known=$(fact "$one" known_nodes)
            [ "${known:-0}" -ge "$total" ] || { say "waiting until all nodes know each other" && return 1; }
        done
        give_slots
    fi
    attach
    for one in $reachable; do
        [ "$(fact "$one" state)" = ok ] || { say "waiting until $(host "$one") calls the cluster ok" && return 1; }
    done
    [ -z "$missing" ] || { say "the cluster works without$missing" && return 1; }
    # one that failed for good, its volume lost, stays in the list and is nobody
    for one in $reachable; do
        ! on "$one" CLUSTER NODES | awk '$8 == "disconnected" && $3 !~ /fail/ { found = 1 } END { exit !found }' \
            || { say "waiting until $(host "$one") has found all others" && return 1; }
    done
    replicas=$(on "$first" CLUSTER NODES | awk '$3 ~ /slave/ && $3 !~ /fail/ && $8 == "connected"' | wc -l)
    [ "$replicas" -ge $((total - masters)) ] || { say "waiting for replicas" && return 1; }
    say "the cluster is whole"
}

# The first node that answers shakes hands with those it has no connection to: new ones, and ones whose address changed. So does
# each node that lost another: two that got each other's addresses take one another for strangers, and nobody tells them.
meet() {
    epoch=0
    for one in $nodes; do
        epoch=$((epoch + 1)) # refused, and not needed, once the node knows others
        [ "$assigned" -gt 0 ] || on "$one" CLUSTER SET-CONFIG-EPOCH $epoch >/dev/null
    done
    first=${reachable# }
    first=${first%% *}
    for from in $reachable; do
        view=$(on "$from" CLUSTER NODES)
        case $from:$view in "$first":* | *noaddr*) ;; *) continue ;; esac
        for one in $reachable; do
            ip=$(address "$one")
            # what a node says of its own address may be old
            if [ "$one" != "$from" ] && ! echo "$view" | awk -v at="$ip:$(port "$one")@" \
                'index($2, at) == 1 && $3 !~ /myself/ && $8 == "connected" { found = 1 } END { exit !found }'; then
                # shellcheck disable=SC2046  # no word where there is no bus port of its own
                on "$from" CLUSTER MEET "$ip" "$(port "$one")" $(bus "$one") >/dev/null
            fi
        done
    done
}

# Equal parts to the first half of the nodes; a part that was given before is refused, and stays as it is.
give_slots() {
    number=0
    for one in $nodes; do
        [ $number -lt "$masters" ] || break
        on "$one" CLUSTER ADDSLOTSRANGE $((16384 * number / masters)) $((16384 * (number + 1) / masters - 1)) >/dev/null
        number=$((number + 1))
    done
}

# A node without slots becomes a replica of the master that has fewest: at first, and after its volume was lost.
attach() {
    for one in $reachable; do
        on "$one" CLUSTER NODES | awk '$3 == "myself,master" && NF == 8 { found = 1 } END { exit !found }' || continue
        target=$(on "$first" CLUSTER NODES | awk '
            $3 ~ /master/ && $3 !~ /fail/ && NF > 8 { count[$1] += 0; id[$1] = 1 }
            $3 ~ /slave/ && $3 !~ /fail/ { count[$4] += 1 }
            END { for (one in id) if (best == "" || count[one] < count[best]) best = one; print best }')
        [ -z "$target" ] || on "$one" CLUSTER REPLICATE "$target" >/dev/null
        # so that the next one sees this one
        sleep 1
    done
}

while :; do
    if look; then
        touch "$state/whole"
        [ -z "${ONCE:-}" ] || exit 0
        sleep 15
    else
        rm -f "$state/whole"
        sleep 1
    fi
done
