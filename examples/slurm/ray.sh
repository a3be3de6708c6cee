#!/bin/sh
#SBATCH --job-name=ttftop-nodes
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=00:30:00
#SBATCH --signal=B:TERM@60
# A load from all nodes of a job: a Ray cluster over them, and a run of ttftop on it, without a screen.
#
#     sbatch examples/slurm/ray.sh URL [OPTIONS OF ttftop run]
#
# On every node the same Python with `pip install 'ttftop[ray]'`. Whoever reaches Ray's ports runs code as you: see
# "Who may use a Ray cluster" in docs/guide/many-nodes.md; a token in ~/.ray/auth_token is used where there is one.
set -eu
url=${1:?usage: sbatch ray.sh URL [OPTIONS OF ttftop run]}
shift
[ $# -gt 0 ] || set -- --ramp 10..400/5m --duration 10m
port=${RAY_PORT:-6379}
if [ -f "$HOME/.ray/auth_token" ]; then
    export RAY_AUTH_MODE="${RAY_AUTH_MODE:-token}"
fi

# This script runs on the first node of the job. Ray wants an address, not a name.
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
ip=${RAY_HEAD_IP:-$(hostname -I | cut -d ' ' -f 1)}

# A step each: the head here, then the others; --block, so that a node ends with its step.
: >ray-head.log
: >ray-nodes.log # there before anybody looks into them
srun --overlap --nodes=1 --ntasks=1 --nodelist="$first" \
    ray start --head --block --node-ip-address "$ip" --port "$port" --num-cpus 0 \
    --include-dashboard false --disable-usage-stats >ray-head.log 2>&1 &
head=$!
others=
load=
end() {
    for step in $load $others $head; do
        kill "$step" 2>/dev/null || true
    done
    wait || true
}
trap end EXIT
trap 'exit 143' TERM INT

# wait_for WORDS FILE PROCESS COUNT: until WORDS stand COUNT times in FILE, or PROCESS has ended.
wait_for() {
    while [ "$(grep -c "$1" "$2")" -lt "$4" ]; do
        kill -0 "$3" 2>/dev/null || { echo "ray start ended, see $2" >&2; exit 1; }
        sleep 1
    done
}
wait_for "Ray runtime started" ray-head.log "$head" 1
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    srun --overlap --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$first" \
        ray start --block --address "$ip:$port" --num-cpus 0 >ray-nodes.log 2>&1 &
    others=$!
    wait_for "Ray runtime started" ray-nodes.log "$others" $((SLURM_JOB_NUM_NODES - 1))
fi

ttftop doctor "$url" --ray "$ip:$port"
ttftop run "$url" --ray "$ip:$port" --headless --sessions-dir ttftop-sessions "$@" &
load=$!
code=0
wait "$load" || code=$?
load=
exit "$code"
