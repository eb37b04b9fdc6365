#!/usr/bin/env bash
# Builds the OpenTelemetry Collector from otel-collector/builder.yaml with Go, for a machine without its image (about five minutes).
#   compose/tools/otelcol.sh FILE    where the program is put; FILE.built-from beside it says from which manifest it was made
set -euo pipefail

BUILDER=v0.160.0
folder=$(cd "$(dirname "$0")/../.." && pwd)/otel-collector

target=${1:?where to put the program}
want=$({ echo "$BUILDER"; cat "$folder/builder.yaml" "$folder"/modules/*/*; } | sha256sum | cut -d' ' -f1)
if [ -x "$target" ] && [ "$(cat "$target.built-from" 2>/dev/null)" = "$want" ]; then exit; fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
GOBIN=$scratch nice go install "go.opentelemetry.io/collector/cmd/builder@$BUILDER"
sed "s|^  output_path: .*|  output_path: $scratch/build|; s|^    path: modules/|    path: $folder/modules/|" "$folder/builder.yaml" \
    >"$scratch/builder.yaml"
CGO_ENABLED=0 nice "$scratch/builder" --config "$scratch/builder.yaml" --ldflags "-s -w" >"$scratch/log" 2>&1 \
    || { tail -n 20 "$scratch/log" >&2; echo "otelcol: the collector was not built" >&2; exit 1; }
mkdir -p "$(dirname "$target")"
install -m 755 "$scratch/build/otelcol" "$target"
printf '%s\n' "$want" >"$target.built-from"
