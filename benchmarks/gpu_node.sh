#!/bin/sh
# One run on a GPU node: a real server on random weights of a real size, a ramp, and what came of it.
#
#   benchmarks/gpu_node.sh [options]
#
#   --out DIR               where the results go (./gpu-node-DATE)
#   --server S              auto (vllm, else transformers), vllm, transformers (auto)
#   --shape S               8b: Llama 3 8B in bf16; tiny: to try the script (8b)
#   --ramp R                load (1..32/120s:exp)
#   --input-tokens N        length of the prompts (512)
#   --output-tokens N       length of the answers (128)
#   --telemetry WORD        as ttftop's (auto)
#   --port N                for the server (8123)
#   --patience S            seconds that the server may take to start (1800)
#   --server-url URL        a server that is there already; nothing is installed or started
#   --server-command CMD    starts a server; {port} in it is replaced
#   --server-python PYTHON  has vllm or transformers and torch already; nothing is installed
#   --no-gpu                go on without an NVIDIA GPU, to try the script
#   --dry-run               check the machine, say what would be done, do nothing
#
# Leaves in DIR: sessions/ (replay it with `ttftop replay --sessions-dir DIR/sessions`), summary.txt,
# summary.json, fields.txt (what the driver gave, field by field), progress.log, server.log, machine.txt.
# The server that was started is ended, whatever happens. Environments go to .gpu-node/ (or $TTFTOP_GPU_NODE).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/scripts/environment.sh"

home=${TTFTOP_GPU_NODE:-$root/.gpu-node}
ttftop=${TTFTOP_COMMAND:-$root/scripts/ttftop}
out=./gpu-node-$(date +%Y%m%d-%H%M%S)
server=auto shape=8b ramp=1..32/120s:exp input=512 output=128 telemetry=auto port=8123 patience=1800
url='' command='' server_python='' no_gpu='' dry_run='' server_pid='' model=''
GIB=1048576 # of df's KiB

while [ $# -gt 0 ]; do
    case $1 in
        --no-gpu) no_gpu=yes ;;
        --dry-run) dry_run=yes ;;
        -h | --help)
            sed -n '2,/^set -eu$/s/^# \{0,1\}//p' "$0"
            exit 0
            ;;
        --out | --server | --shape | --ramp | --input-tokens | --output-tokens | --telemetry | --port | \
            --patience | --server-url | --server-command | --server-python)
            [ $# -ge 2 ] || fail "$1 needs a value"
            case $1 in
                --out) out=$2 ;;
                --server) server=$2 ;;
                --shape) shape=$2 ;;
                --ramp) ramp=$2 ;;
                --input-tokens) input=$2 ;;
                --output-tokens) output=$2 ;;
                --telemetry) telemetry=$2 ;;
                --port) port=$2 ;;
                --patience) patience=$2 ;;
                --server-url) url=$2 ;;
                --server-command) command=$2 ;;
                --server-python) server_python=$2 ;;
            esac
            shift
            ;;
        *) fail "unknown option '$1'; see $0 --help" ;;
    esac
    shift
done
case $server in auto | vllm | transformers) ;; *) fail "--server: got '$server', need auto, vllm or transformers" ;; esac
case $shape in 8b | tiny) ;; *) fail "--shape: got '$shape', need 8b or tiny" ;; esac
case $port in '' | *[!0-9]*) fail "--port: got '$port', need a number" ;; esac
case $patience in '' | *[!0-9]*) fail "--patience: got '$patience', need a number of seconds" ;; esac

say() { echo "gpu_node: $*" >&2; }

# With all its processes; waits until they are gone.
# shellcheck disable=SC2329  # by a trap
ends_server() {
    [ -n "$server_pid" ] || return 0
    for signal in TERM KILL; do
        kill -s "$signal" -- "-$server_pid" 2>/dev/null || break
        waited=0
        while kill -s 0 -- "-$server_pid" 2>/dev/null && [ "$waited" -lt 30 ]; do
            sleep 1
            waited=$((waited + 1))
        done
    done
    server_pid=
}

needs_gpu() {
    [ -z "$no_gpu" ] || return 0
    gpus=$(nvidia-smi -L 2>&1) || gpus=${gpus:-no nvidia-smi}
    case $gpus in
        "GPU "*) say "$(echo "$gpus" | grep -c '^GPU ') GPU(s), the first is $(echo "$gpus" | head -n 1)" ;;
        *) fail "no NVIDIA GPU here (nvidia-smi -L: $(echo "$gpus" | head -n 1)); --no-gpu tries the script without" ;;
    esac
}

# needs_disk DIRECTORY GIB WHAT
needs_disk() {
    at=$1
    while [ ! -d "$at" ]; do at=$(dirname -- "$at"); done
    free=$(df -Pk "$at" | awk 'NR == 2 { print $4 }')
    [ "$((free / GIB))" -ge "$2" ] || fail "$at has $((free / GIB)) GiB free, $3 needs $2"
}

# installs KIND: leaves its Python in $server_python; fails quietly, so that auto can try the next.
installs() {
    case $1 in
        vllm) set -- vllm vllm ;;
        transformers) set -- transformers 'transformers[serving]>=5' torch accelerate ;;
    esac
    kind=$1
    shift
    (make_environment "$home/$kind" packages "$kind 1" "$kind (10 GB and some minutes)" "$@") || return 1
    server_python=$home/$kind/bin/python
}

# Runs in a process group of its own: vLLM has several processes.
starts() {
    setsid "$@" >"$out/server.log" 2>&1 </dev/null &
    server_pid=$!
}

starts_vllm() {
    export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
    model=llama-$shape
    starts "$server_python" -m vllm.entrypoints.openai.api_server --model "$home/llama-$shape" \
        --load-format dummy --served-model-name "$model" --host 127.0.0.1 --port "$port" --max-model-len 4096
}

starts_transformers() {
    export HF_HUB_OFFLINE=1
    # It lists no models offline, and takes its own path only.
    model=$home/llama-$shape
    starts "$server_python" -m transformers.cli.transformers serve "$model" --continuous-batching \
        --host 127.0.0.1 --port "$port"
}

answers() {
    "$python" -c '
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for path in ("/health", "/v1/models"):
    try:
        with opener.open(sys.argv[1] + path, timeout=2) as answer:
            sys.exit(answer.status != 200)
    except OSError:
        pass
sys.exit(1)' "$url" 2>/dev/null
}

waits_for_server() {
    waited=0
    until answers; do
        if [ -n "$server_pid" ] && ! kill -0 "$server_pid" 2>/dev/null; then
            tail -n 5 "$out/server.log" >&2
            fail "the server ended before it answered; all it said is in $out/server.log"
        fi
        [ "$waited" -lt "$patience" ] || fail "no answer from $url within $patience s; see $out/server.log"
        [ "$((waited % 30))" -ne 29 ] || say "still waiting for $url (${waited} s)"
        sleep 1
        waited=$((waited + 1))
    done
    say "$url answers after $waited s"
}

python=$(find_python) || exit 2
own=
if [ -z "$url" ] && [ -z "$command" ]; then
    own=yes
    needs_gpu
    command -v setsid >/dev/null || fail "no setsid here; on Debian or Ubuntu: apt install util-linux"
    if [ -z "$server_python" ]; then needs_disk "$home" 12 "installing a server"; fi
    [ "$shape $server" != "8b transformers" ] || needs_disk "$home" 30 "a server and 8b's weights"
fi
needs_disk "$out" 1 "a session"

set -- run "${url:-http://127.0.0.1:$port}" --headless --ramp "$ramp" --input-tokens "$input" \
    --output-tokens "$output" --telemetry "$telemetry" --sessions-dir "$out/sessions" --name gpu-node
if [ -n "$dry_run" ]; then
    if [ -n "$url" ]; then
        say "would use the server at $url"
    elif [ -n "$command" ]; then
        say "would start: $command"
    else
        say "would start $server with a Llama of shape $shape and random weights, on port $port"
    fi
    say "would run: ttftop $*"
    say "would leave in $out: sessions/ summary.txt summary.json fields.txt progress.log server.log machine.txt"
    exit 0
fi

mkdir -p "$out"
out=$(CDPATH='' cd -- "$out" && pwd -P)
trap ends_server EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

"$ttftop" --version >"$out/machine.txt" || fail "ttftop does not run: $ttftop"
{
    uname -a
    nvidia-smi -q 2>&1 || echo "no nvidia-smi"
} >>"$out/machine.txt"

if [ -n "$command" ]; then
    [ -n "$url" ] || url=http://127.0.0.1:$port
    starts sh -c "exec $(echo "$command" | sed "s/{port}/$port/g")"
elif [ -n "$own" ]; then
    url=http://127.0.0.1:$port
    if answers; then fail "something answers at $url already; give --port"; fi
    if [ -z "$server_python" ]; then
        if [ "$server" != transformers ] && installs vllm; then
            server=vllm
        elif [ "$server" != vllm ] && needs_disk "$home" 30 "a server and weights" && installs transformers; then
            server=transformers
        else
            fail "no server could be installed; see $home/*/install.log"
        fi
    elif [ "$server" = auto ]; then
        server=vllm
    fi
    weights=
    if [ "$server" = transformers ] && [ ! -f "$home/llama-$shape/model.safetensors" ] &&
        [ ! -f "$home/llama-$shape/model.safetensors.index.json" ]; then
        weights=--weights
        say "making weights of shape $shape in $home/llama-$shape"
    fi
    "$server_python" "$root/benchmarks/gpu_node_model.py" "$home/llama-$shape" --shape "$shape" $weights \
        >"$out/model.log" 2>&1 || fail "the model could not be made; see $out/model.log"
    say "starting $server with a Llama of shape $shape and random weights"
    case $server in
        vllm) starts_vllm ;;
        transformers) starts_transformers ;;
    esac
    "$server_python" -m pip list 2>/dev/null >>"$out/machine.txt" || true
fi
waits_for_server

[ -z "$model" ] || set -- "$@" --model "$model"
[ "$server" != transformers ] || [ -z "$own" ] || set -- "$@" --endpoint completions
status=0
"$ttftop" "$@" >"$out/run.txt" 2>"$out/progress.log" || status=$?
# 1: the run is there, but not valid; all else means that there is none.
if [ "$status" -gt 1 ]; then
    tail -n 3 "$out/progress.log" >&2
    fail "ttftop ended with $status; all it said is in $out/progress.log"
fi
for session in "$out"/sessions/*/; do :; done
"$ttftop" summary "$session" --no-charts --no-color >"$out/summary.txt"
"$ttftop" summary "$session" --json >"$out/summary.json"
venv=${TTFTOP_VENV:-$root/.venv}
with=$venv/bin/python
[ -x "$with" ] || with=$python
"$with" "$root/benchmarks/gpu_node_fields.py" "$session" >"$out/fields.txt" || say "fields.txt could not be made"
cat "$out/summary.txt"
say "all of it is in $out"
exit "$status"
