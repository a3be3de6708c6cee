#!/bin/sh
#SBATCH --job-name=ttftop
#SBATCH --nodes=1
#SBATCH --gpus=1
#SBATCH --cpus-per-task=16
#SBATCH --time=00:30:00
#SBATCH --signal=B:TERM@60
# A server and a run without a screen on one GPU node:
#
#     sbatch examples/slurm.sh MODEL [OPTIONS OF ttftop run]
#
# From the login node, while it runs:  srun --jobid JOB --overlap --pty ttftop attach --sessions-dir ttftop-sessions
# and after it:                        ttftop replay last --sessions-dir ttftop-sessions
set -eu
model=${1:?usage: sbatch slurm.sh MODEL [OPTIONS OF ttftop run]}
shift
[ $# -gt 0 ] || set -- --ramp 1..32/5m --duration 10m
url=http://127.0.0.1:${PORT:=8000}

# Steps of one job: --overlap lets both use what the job has.
srun --overlap --ntasks=1 vllm serve "$model" --port "$PORT" &
server=$!
load=
end() {
    [ -z "$load" ] || kill "$load" 2>/dev/null || true
    [ -z "$load" ] || wait "$load" || true
    kill "$server" 2>/dev/null || true
    wait "$server" || true
}
trap end EXIT
trap 'exit 143' TERM INT

# Exit code 3: the target cannot be reached, or refuses, as long as it loads its model.
asked=3
while [ "$asked" -eq 3 ]; do
    kill -0 "$server" 2>/dev/null || { echo "the server ended before it answered" >&2; exit 1; }
    sleep 1
    asked=0
    ttftop doctor "$url" >/dev/null 2>&1 || asked=$?
done

srun --overlap --ntasks=1 ttftop "$url" --headless --sessions-dir ttftop-sessions "$@" &
load=$!
code=0
wait "$load" || code=$?
load=
exit "$code"
