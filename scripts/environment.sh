# Sourced by the scripts beside it: finds a Python, makes a virtual environment once, keeps it up to date.
# POSIX sh only. Needs $root (the checkout) to be set.

fail() {
    echo "ttftop: error: $*" >&2
    exit 2
}

# Prints the first Python that is new enough and can make environments; else says in one line what to install.
find_python() {
    without_venv=
    too_old=
    for candidate in ${TTFTOP_PYTHON:+"$TTFTOP_PYTHON"} python3 python3.13 python3.12 python3.11 python3.10; do
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        if ! "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            too_old=${too_old:-$version}
        elif ! "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            without_venv=${without_venv:-$version}
        else
            command -v "$candidate"
            return
        fi
    done
    if [ -n "$without_venv" ]; then
        fail "Python $without_venv has no venv module; on Debian or Ubuntu: apt install python3-venv"
    elif [ -n "$too_old" ]; then
        fail "Python $too_old is too old, ttftop needs 3.10 or newer; on Debian or Ubuntu: apt install python3.11 python3.11-venv"
    fi
    fail "no python3 found, ttftop needs Python 3.10 or newer; on Debian or Ubuntu: apt install python3 python3-venv"
}

# make_environment DIRECTORY NAME KEY WHAT PACKAGE...
# Installs the packages into the environment unless NAME's stamp in it says that KEY is already there.
make_environment() {
    directory=$1 stamp=$1/.stamp-$2 key=$3 what=$4
    shift 4
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] && [ -x "$directory/bin/python" ]; then
        return
    fi
    python=$(find_python) || exit 2
    echo "ttftop: installing $what into $directory (once, about a minute)" >&2
    if ! "$directory/bin/python" -c '' 2>/dev/null; then
        "$python" -m venv "$directory" || fail "cannot make an environment in $directory"
    fi
    log=$directory/install.log
    if ! "$directory/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        fail "installing $what failed; all of it is in $log"
    fi
    # Compiled now: on its very first run a load worker would else be compiling while requests are due.
    "$directory/bin/python" -m compileall -q "$root/loadgen" "$root/telemetry" "$root/sessions" "$root/tui" \
        >/dev/null 2>&1 || true
    echo "$key" >"$stamp"
}

# What an installation of this checkout depends on: where it is and what pyproject.toml says.
checkout_key() {
    echo "$root $(cksum <"$root/pyproject.toml")"
}
