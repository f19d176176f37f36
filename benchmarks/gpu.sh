#!/usr/bin/env bash
# Checks and measurements on a GPU, a short table last: gpu.sh [--wheels DIR] [--device cuda:0] [--data DIR] [--out DIR] ...
# Runs with the Python that is there (or $PYTHON); packages that it lacks come from the wheels in DIR, without a network.
set -euo pipefail
PYTHON=${PYTHON:-python3}
arguments=()
wheels=
while (($#)); do
    case $1 in
        --wheels) wheels=$2; shift 2 ;;
        *) arguments+=("$1"); shift ;;
    esac
done
root=$(cd "$(dirname "$0")/.." && pwd)
path=$root
if [[ -n $wheels ]]; then
    site=$(mktemp -d)
    trap 'rm -rf "$site"' EXIT
    "$PYTHON" -m pip install --quiet --no-index --no-deps --target "$site" "$wheels"/*.whl
    path=$root:$site
fi
export PYTHONPATH=$path${PYTHONPATH:+:$PYTHONPATH}
"$PYTHON" -m benchmarks.gpu "${arguments[@]}"
