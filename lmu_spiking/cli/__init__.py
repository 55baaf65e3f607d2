"""The shell: ``lmu-spiking run``, ``study``, ``collect`` and the rest.

Nothing heavy is imported here, nor by what declares the commands: a word is completed,
and a mistake refused, before Nengo is there.
"""

import os
import signal
import sys
from contextlib import suppress

RESUMED = ("study", "spikes", "train")
RESUMED_NAMES = ("mackey-glass", "psmnist")  # of reproduce
STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # of descriptors 0, 1, 2


def main(arguments=None) -> None:
    """Run the shell and exit: 0, 2 for a user's mistake, 130 for Ctrl-C.

    Another signal that ends programs ends it as Ctrl-C does, with 128 and its number:
    143 for SIGTERM, 129 for SIGHUP.
    """
    _open_streams()
    _mind_signals()
    if os.path.expanduser("~") == "~":  # nobody knows one, and Nengo needs one
        os.environ["HOME"] = os.devnull  # where nobody, not even root, can put files
    try:
        from lmu_spiking.cli.shell import status

        code = status(arguments)
    except (KeyboardInterrupt, SystemExit) as error:  # while it was imported
        code = 130 if isinstance(error, KeyboardInterrupt) else error.code
        with suppress(OSError):
            print(f"lmu-spiking: {stopped(arguments)}", file=sys.stderr, flush=True)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # which has been told, where that is possible
            leave(stream)
    sys.exit(code)


def leave(stream) -> None:
    """Send what a stream still holds to nowhere, where Python writes it as it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_streams() -> None:
    """Standard streams that take everything, also where descriptors are closed.

    A closed descriptor is the first that another file would get, and `print` writes
    what is for a missing standard error to standard output.
    """
    closed = []
    for number, (name, mode) in enumerate(STREAMS):
        try:
            os.fstat(number)
        except OSError:
            closed.append(name)
            found = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if found != number:
                os.dup2(found, number)
                os.close(found)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # letters that an encoding lacks are ?
            stream.reconfigure(errors="replace")
    if "stdout" in closed:
        with suppress(OSError):
            print(
                "lmu-spiking: standard output is closed: results are in --out alone",
                file=sys.stderr,
                flush=True,
            )


def _mind_signals() -> None:
    """Let signals that end a program end it in order, unless they are ignored."""

    def stop(number, _frame):
        signal.signal(number, signal.SIG_DFL)  # at once, the second time
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        with suppress(ValueError):  # not in the main thread
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, stop)


def stopped(arguments=None) -> str:
    """What is said after Ctrl-C and the like, of what was typed."""
    typed = sys.argv[1:] if arguments is None else list(arguments)
    resumed = typed[:1] and (
        typed[0] in RESUMED
        or (typed[0] == "reproduce" and not set(RESUMED_NAMES).isdisjoint(typed))
    )
    if not resumed or not {"--no-resume", "--fresh"}.isdisjoint(typed):
        return "interrupted"
    return "interrupted; the same command goes on where it was"


def __getattr__(name: str):
    """`app`, the Typer application, when it is first asked for."""
    if name == "app":
        from lmu_spiking.cli.shell import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["app", "main"]
