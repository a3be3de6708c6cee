"""The command `ttftop`: finds what was asked, has it done, and turns every mistake into one plain line.

Textual is imported only where a screen opens (`tui.foreground.screen`).
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.signals import arrivals, restored
from loadgen.version import VERSION
from tui.commands import COMMANDS, STARTS_A_RUN
from tui.options.exit_codes import INTERRUPTED, NOT_VALID, OK, USAGE, CommandError, is_unicode, one_line, tell
from tui.options.parser import Parser, did_you_mean

if TYPE_CHECKING:
    from sessions.run.prestart import PrestartedSupervisor

SHORT_HELP = """\
ttftop: htop for an LLM server under load

  ttftop                on a terminal: what was recorded, and servers found on this machine
  ttftop URL            load a server and watch TTFT, ITL and the GPUs; keys change the load
  ttftop demo           the same on a simulated server
  ttftop --help         everything else
"""

HELP = """\
ttftop: htop for an LLM server under load

usage: ttftop
       ttftop URL [options]
       ttftop COMMAND [options]

commands:
{commands}

examples:
  ttftop http://localhost:8000                      open the screen, ramp by keys
  ttftop http://localhost:8000 --ramp 1..64/120s    from 1 to 64 requests per second
  ttftop http://localhost:8000 --rate 8 --duration 60s --headless
  ttftop replay last                                watch the session that started last again
  ttftop COMMAND --help                             the options of one command

The API key comes from TTFTOP_API_KEY, OPENAI_API_KEY or --api-key-file, never from the command line.
Exit codes: 0 ran and valid, 1 not valid or a target missed, 2 wrong usage, 3 target refuses, 130 interrupted.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `ttftop` with the arguments `argv` (the process's own by default); returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    code = OK
    take_any_output()
    with signals_as_ctrl_c(last=argv is None) as interrupted:
        try:
            code = _exit_code(arguments)
            with contextlib.suppress(BrokenPipeError):
                sys.stdout.flush()
        except KeyboardInterrupt:
            code = INTERRUPTED
        except BrokenPipeError:
            code = OK  # the reader of our output left (`ttftop sessions | head`): nothing more to say
        except (ImportError, SystemError):  # in the place of KeyboardInterrupt, or a bug
            if not interrupted():
                raise
            code = INTERRUPTED
        except OSError as error:
            if error.errno == errno.EIO and _terminal_is_gone():
                code = INTERRUPTED
            elif error.errno in _NO_ROOM or _stdout_refuses(error):
                from tui.options.next_step import with_next_step

                lost = f"what was to be printed is lost: {error.strerror}"
                tell(f"ttftop: error: {with_next_step(lost)}")
                code = code or NOT_VALID  # where the last words are lost, how it went is known already
            else:
                raise
    forget_unread_output()
    return code


def _exit_code(arguments: list[str]) -> int:
    try:
        return dispatch(arguments)
    except CommandError as error:
        told = error
    except ModuleNotFoundError as error:
        from tui.options.packages import missing

        if (found := missing(error)) is None:
            raise
        told = found
    except ImportError as error:
        from tui.options.packages import not_loaded

        if (found := not_loaded(error)) is None:
            raise
        told = found
    except FileNotFoundError as error:
        from tui.options.next_step import is_of_temporary_files

        if is_of_temporary_files(error):
            told = CommandError(str(error.strerror))
        elif _has_working_directory():
            raise
        else:
            told = CommandError("the directory that ttftop was started in is gone: cd to one that is there")
    except MemoryError:
        told = CommandError("no memory is left for ttftop: need more of it (ulimit -a, free)", NOT_VALID)
    from tui.options.next_step import in_two_lines, with_next_step
    from tui.options.typed_secrets import without_secrets

    tell(f"ttftop: error: {in_two_lines(with_next_step(without_secrets(str(told), arguments)))}")
    return told.exit_code


def _has_working_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


_AS_CTRL_C = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextlib.contextmanager
def signals_as_ctrl_c(*, last: bool) -> Iterator[Callable[[], bool]]:
    """What has been started is ended and what has been begun is tidied up, as after Ctrl-C. What was to be
    ignored (`nohup`) is.

    Where the process does nothing after it (`last`), no signal changes what it ends with any more. Gives
    whether one has come, though nothing came out of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    with restored(() if last else _AS_CTRL_C), arrivals((signal.SIGINT, *_AS_CTRL_C)) as interrupted:
        for number in _AS_CTRL_C:
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)
        try:
            yield interrupted
        finally:
            for number in (signal.SIGINT, *_AS_CTRL_C) if last else ():
                signal.signal(number, signal.SIG_IGN)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _stdout_refuses(error: OSError) -> bool:
    """Whether `error` is of what stands where stdout goes: a disk that broke, or that is only to be read.

    It refuses once more then; else there is an empty line before the traceback of a bug.
    """
    try:
        print(flush=True)
    except OSError as again:
        return again.errno == error.errno
    return False


def _terminal_is_gone() -> bool:
    from tui.screens.terminal import hung_up

    return any(hung_up(fd) for fd in (0, 1, 2))


def forget_unread_output() -> None:
    """Else Python tries once more to write what nobody reads any more, and ends with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def take_any_output() -> None:
    """What a terminal or a pipe cannot take as it is, in another way rather than not at all."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started us: Python has no stream for it then
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for as long as we run
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # Latin-1, ASCII: a `?` for what has no place there
        with contextlib.suppress(OSError, ValueError):
            # A pipe that a parent reads when it likes: else only what fits at once would be written.
            os.set_blocking(stream.fileno(), True)


def dispatch(arguments: list[str]) -> int:
    """Does what the arguments ask for.

    Raises:
        CommandError: a mistake of the person who typed, or of the world.
    """
    if not arguments:
        from tui.foreground.screen import has_able_terminal

        if not has_able_terminal():
            tell(SHORT_HELP, end="")
            return USAGE
        from tui.commands import home

        return home.run(dispatch)
    if (undecoded := next((word for word in arguments if not is_unicode(word)), None)) is not None:
        raise CommandError(f"{one_line(undecoded)}: need arguments in UTF-8")
    first = arguments[0]
    if first in ("-h", "--help", "help"):
        if len(arguments) == 2 and arguments[1] in COMMANDS:
            return dispatch([arguments[1], "--help"])
        rows = "\n".join(f"  {name:<10} {line}" for name, (_, line) in COMMANDS.items())
        print(HELP.format(commands=rows), end="")
        return OK
    if first in ("-V", "--version"):
        print(f"ttftop {VERSION}")
        return OK
    name, rest = command_of(arguments)
    if name not in STARTS_A_RUN or {"-h", "--help"} & set(rest):
        return command(name, rest)

    from sessions.run.prestart import PrestartedSupervisor
    from tui.options.packages import OF_A_RUN, need

    need(OF_A_RUN)
    # Its imports and ours take a tenth of a second each, and there is more than one core.
    try:
        prestarted = PrestartedSupervisor()
    except OSError as error:
        raise CommandError(f"no process can be started: {error.strerror}") from None
    with prestarted:
        return command(name, rest, prestarted)


def command(name: str, rest: list[str], prestarted: PrestartedSupervisor | None = None) -> int:
    """Does one of `COMMANDS`, with its own arguments; `prestarted` is for those in `STARTS_A_RUN`.

    Raises:
        CommandError: as `dispatch`.
    """
    module = importlib.import_module(COMMANDS[name][0])
    parser: Parser = module.parser()
    try:
        options = parser.read(rest)
    except SystemExit:  # argparse has printed the help that was asked for
        return OK
    options.prestarted = prestarted
    code: int = module.run(options)
    return code


def command_of(arguments: list[str]) -> tuple[str, list[str]]:
    """The command's name and its arguments; an address or an option in the first place means `run`."""
    first = arguments[0]
    if first in COMMANDS:
        return first, arguments[1:]
    if first.startswith("-") or any(mark in first for mark in "/:.") or first == "localhost":
        return "run", arguments
    near = did_you_mean(first, COMMANDS)
    raise CommandError(
        f"unknown command {one_line(first)!r}{near or ', need ' + ', '.join(COMMANDS) + ' or a URL'}"
    )


if __name__ == "__main__":
    code = main()
    # An interrupt that came out of `exec` of a text (as in `dataclass`) makes `python -m` end by SIGINT
    # whatever it exits with (Py_RunMain), until another text is run.
    exec("")
    raise SystemExit(code)
