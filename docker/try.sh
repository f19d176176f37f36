#!/usr/bin/env bash
# Builds the image and runs the whole compose file with podman, for real: a search of the quickstart study with two
# workers beside it, one worker's container killed in mid-trial, the trial gone on with by another, the dashboard asked.
#
#   docker/try.sh [IMAGE_TO_USE]       # an image that was built already saves the build
#
# Needs, as root on Debian: podman, podman-compose, buildah, runc, curl; and the two public base images, pulled or local
# stand-ins for them (docker.io/library/python:3.11-slim, docker.io/library/postgres:17).
# What differs from `docker compose up` is because of old podman-compose (1.0.3): it knows neither profiles nor
# `condition: service_healthy`, and takes no notice of --scale, so services are started by name, a second worker by
# itself, and the health check is run by hand. What docker/.env would say stands in the
# environment.
set -euo pipefail
cd "$(dirname "$0")/.."
trials=12
project=tuner-try
work=$(mktemp -d)
export CONTAINERS_CONF="$work/containers.conf"
cat >"$CONTAINERS_CONF" <<'CONF'
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
CONF

for tool in podman podman-compose buildah runc curl; do
    command -v "$tool" >/dev/null || { echo "docker/try.sh needs $tool" >&2; exit 1; }
done
for image in python:3.11-slim postgres:17; do
    podman image exists "docker.io/library/$image" || { echo "docker/try.sh needs the image docker.io/library/$image" >&2; exit 1; }
done

step() { printf '== %s\n' "$*"; }
quietly() { "$@" 2>>"$work/errors" || { tail -n 20 "$work/errors" >&2; return 1; }; }
loudly() { podman-compose --project-name "$project" -f docker/compose.yaml "$@"; }
compose() { loudly "$@" 2>>"$work/errors"; }
container() { podman ps --all --format '{{.Names}}' | grep -E "^${project}_$1_$2\$"; }
end() {
    code=$?
    [ "$code" = 0 ] || for each in errors search; do tail -n 30 "$work/$each" >&2 || true; done
    compose down --volumes >/dev/null || true
    podman volume rm --force "${project}_study" "${project}_database" "${project}_sockets" >/dev/null 2>&1 || true
    rm -rf "$work"
    exit "$code"
}
trap end EXIT
wait_for() { # SECONDS DESCRIPTION COMMAND...
    local seconds=$1 what=$2
    shift 2
    for _ in $(seq "$seconds"); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 1
    done
    echo "waited $seconds s in vain for $what" >&2
    return 1
}

port=$((20000 + RANDOM % 20000))
mkdir "$work/images"
export POSTGRES_PASSWORD TUNER_DASHBOARD_TOKEN DASHBOARD_PORT=$port IMAGES=$work/images
POSTGRES_PASSWORD=$(head -c 18 /dev/urandom | base64 | tr -d '+/=')
TUNER_DASHBOARD_TOKEN=$(head -c 18 /dev/urandom | base64 | tr -d '+/=')

if [ "$#" -gt 0 ]; then
    step "image: $1"
    podman tag "$1" tuner:local
else
    step "build"
    quietly buildah bud --isolation chroot --layers -q -f docker/Dockerfile -t tuner:local . >/dev/null
fi
podman images --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep tuner:local
step "as whom it runs, and what is left of build tools"
quietly podman run --rm --entrypoint sh tuner:local -c 'id -un; touch /study/written && echo "the working folder can be written"; command -v gcc make || echo "no compiler"'

step "database"
compose up -d database >/dev/null
database=$(container database 1)
wait_for 60 "a healthy database" podman healthcheck run "$database"
echo "healthy"

step "dashboard and two workers"
compose up -d dashboard worker >/dev/null
compose run -T -d --name "${project}_worker_2" worker worker --wait --workers 1 >/dev/null  # what --scale worker=2 does
for number in 1 2; do wait_for 60 "worker $number" sh -c "podman logs $(container worker "$number") 2>&1 | grep -q 'waiting for searches'"; done
podman ps --format '{{.Names}}: {{.Status}} {{.Ports}}'

step "what they may do"
for each in "$database" "$(container dashboard 1)" "$(container worker 1)"; do
    quietly podman exec "$each" sh -c 'grep -qx "CapBnd:.0*" /proc/1/status && grep -qx "NoNewPrivs:.1" /proc/1/status && ! touch /usr/written 2>/dev/null'
    memory=$(podman inspect --format '{{.HostConfig.Memory}}' "$each")
    [ "$memory" -gt 0 ] || { echo "$each has no limit of memory" >&2; exit 1; }
    echo "$each: no capability, no new privilege, nothing to write to but its volumes, $((memory >> 30)) GB"
done

step "search quickstart, $trials trials"
loudly run -T --rm search quickstart --trials "$trials" --workers 1 --no-publish >"$work/search" 2>&1 &
search=$!
victim=$(container worker 2)
wait_for 120 "an epoch in $victim" sh -c "podman logs $victim 2>&1 | grep -qE 'trial [0-9]+ epoch [12]/'"
trial=$(podman logs "$victim" 2>&1 | grep -oE '^trial [0-9]+ (begins|epoch)' | tail -1 | grep -oE '[0-9]+')
step "kill $victim in mid-trial: trial $trial"
podman kill --signal KILL "$victim" >/dev/null
wait "$search"
grep -E '^Study|interrupted' "$work/search" || true

step "what became of trial $trial"
for each in "$(container worker 1)" "$victim"; do
    podman logs "$each" 2>&1 | grep -E "^trial $trial (begins|complete|pruned)" | sed "s/^/$each: /" || true
done
grep -E "^trial $trial (begins|complete|pruned)" "$work/search" | sed 's/^/search: /' || true
compose run -T --rm --entrypoint tuner search show quickstart --json >"$work/show"
python3 - "$work/show" "$trial" "$trials" <<'CHECK'
import json, sys

text = open(sys.argv[1]).read()
facts, _ = json.JSONDecoder().raw_decode(text[text.index('{\n') :])  # podman-compose speaks too, before it or after
states = [t["state"] for t in facts["trials"]]
finished = sum(s in ("COMPLETE", "PRUNED") for s in states)
lost = next(t for t in facts["trials"] if t["number"] == int(sys.argv[2]))
steps = [e["epoch"] for e in lost["epochs"]]
print(f"{finished} finished of {sys.argv[3]} asked, {len(states)} rows")
print(f"trial {lost['number']}: {lost['state']}, epochs {steps}, workers lost {lost['run'].get('workers_lost', 0)}")
assert finished == int(sys.argv[3]) == len(states), states
assert steps == list(range(1, len(steps) + 1)) and lost["run"].get("workers_lost") == 1
CHECK

step "dashboard"
address="http://127.0.0.1:$port"
echo "without the token: $(curl -s -o /dev/null -w '%{http_code}' "$address/api/studies")"
echo "with it: $(curl -s -H "Authorization: Bearer $TUNER_DASHBOARD_TOKEN" "$address/api/studies" | grep -o '"study_name": *"[^"]*"')"
curl -sf -H "Authorization: Bearer $TUNER_DASHBOARD_TOKEN" "$address/dashboard" >/dev/null

step "stop a worker: it puts its trial back and ends by itself"
quietly podman stop --time 40 "$(container worker 1)" >/dev/null
echo "exit code $(podman inspect --format '{{.State.ExitCode}}' "$(container worker 1)")"
step "all of it worked"
