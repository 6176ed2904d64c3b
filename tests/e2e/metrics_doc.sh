#!/usr/bin/env bash
# docs/metrics.md lists the metrics as the command does.
#   metrics_doc.sh KD2M DOCUMENT
set -eu
shown=$(sed -n '/^<!-- metrics -->$/,/^<!-- \/metrics -->$/p' "$2" | sed '1d;$d')
printed=$("$1" metrics --markdown)
[ -n "$printed" ] && [ "$shown" = "$printed" ] || {
    echo "FAILED: $2 differs from 'kd2m metrics --markdown':"
    diff <(echo "$shown") <(echo "$printed") || true
    exit 1
}
