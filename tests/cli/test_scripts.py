"""The scripts say in one line what a machine lacks. Each Python here is a stand-in of a few lines of shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
TOOLS = ("sh", "dirname", "readlink", "cksum", "cat", "tail", "mkdir", "sed")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout whose path has a space, and a PATH with the usual tools but no Python."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tools / tool).symlink_to(found)
    checkout = tmp_path / "a checkout"
    (checkout / "scripts").mkdir(parents=True)
    for name in ("ttftop", "test", "real-server", "environment.sh"):
        shutil.copy2(SCRIPTS / name, checkout / "scripts" / name)
    (checkout / "pyproject.toml").write_text("", encoding="utf-8")
    return tmp_path


def python_stand_in(machine: Path, version: str, *, new_enough: bool, venv: bool) -> None:
    path = machine / "bin" / "python3"
    path.write_text(
        f"""#!/bin/sh
        case $2 in
            *print*) echo {version} ;;
            *sys.exit*) exit {0 if new_enough else 1} ;;
            *ensurepip*) exit {0 if venv else 1} ;;
        esac
        """,
        encoding="utf-8",
    )
    path.chmod(0o755)


def run(machine: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(machine / "a checkout" / "scripts" / script), *arguments],
        cwd=machine,
        env={"PATH": str(machine / "bin"), "HOME": str(machine)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("script", ["ttftop", "test", "real-server"])
def test_a_machine_without_python_is_told_what_to_install(machine: Path, script: str) -> None:
    done = run(machine, script)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ttftop: error: no python3 found, ttftop needs Python 3.10 or newer; "
        "on Debian or Ubuntu: apt install python3 python3-venv\n"
    )


@pytest.mark.parametrize("script", ["ttftop", "test", "real-server"])
def test_an_old_python_is_named_with_its_version(machine: Path, script: str) -> None:
    python_stand_in(machine, "3.8", new_enough=False, venv=True)
    done = run(machine, script)
    assert done.returncode == 2
    assert done.stderr.startswith("ttftop: error: Python 3.8 is too old, ttftop needs 3.10 or newer")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("script", ["ttftop", "test", "real-server"])
def test_a_python_without_venv_is_told_the_package(machine: Path, script: str) -> None:
    python_stand_in(machine, "3.11", new_enough=True, venv=False)
    done = run(machine, script)
    assert done.returncode == 2
    assert done.stderr == (
        "ttftop: error: Python 3.11 has no venv module; on Debian or Ubuntu: apt install python3-venv\n"
    )


def test_the_environment_is_made_once_and_again_when_the_project_changes(machine: Path) -> None:
    """The stand-in counts how often it is asked for an environment, and makes one whose ttftop says its name."""
    python = machine / "bin" / "python3"
    python.write_text(
        """#!/bin/sh
        case "$1 $2" in
            "-c "*print*) echo 3.11 ;;
            "-m venv")
                echo made >>"$HOME/made"
                mkdir -p "$3/bin"
                printf '#!/bin/sh\\nexit 0\\n' >"$3/bin/python"
                printf '#!/bin/sh\\necho "ttftop $*"\\n' >"$3/bin/ttftop"
                /bin/chmod 755 "$3/bin/python" "$3/bin/ttftop" ;;
        esac
        """,
        encoding="utf-8",
    )
    python.chmod(0o755)
    first = run(machine, "ttftop", "demo", "--rate", "3")
    assert (first.returncode, first.stdout) == (0, "ttftop demo --rate 3\n")
    assert first.stderr.count("\n") == 1
    again = run(machine, "ttftop", "sessions")
    assert (again.returncode, again.stdout, again.stderr) == (0, "ttftop sessions\n", "")
    assert (machine / "made").read_text(encoding="utf-8") == "made\n"
    (machine / "a checkout" / "pyproject.toml").write_text("# changed\n", encoding="utf-8")
    changed = run(machine, "ttftop", "sessions")
    assert (changed.returncode, changed.stdout) == (0, "ttftop sessions\n")
    assert "installing" in changed.stderr


def test_real_server_names_the_servers_it_knows(machine: Path) -> None:
    done = run(machine, "real-server", "ollama")
    assert done.returncode == 2
    assert done.stderr == "ttftop: error: unknown server 'ollama', need llamacpp or vllm\n"
