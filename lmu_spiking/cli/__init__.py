"""The shell: ``lmu-spiking run``, ``study``, ``collect`` and the rest.

Nothing heavy is imported here, nor by what declares the commands: a word is completed,
and a mistake refused, before Nengo is imported.
"""

import os
import signal
import sys
from contextlib import suppress

RESUMED = ("study", "spikes", "train")
RESUMED_NAMES = ("mackey-glass", "psmnist")  # of reproduce
AGAIN = 10.0  # seconds until a program that was ended, and goes on, is ended again
STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # of descriptors 0, 1, 2


def main(arguments=None) -> None:
    """Run the shell and exit with 0, 2 for a user's mistake, or 130 for Ctrl-C.

    Other signals that end programs are handled in the same way; the status is 128 plus
    the signal's number: 143 for SIGTERM, 129 for SIGHUP.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; that of this process by default.
    """
    _open_streams()
    _handle_signals()
    if os.path.expanduser("~") == "~":  # there is no home, and Nengo needs one
        os.environ["HOME"] = os.devnull  # a place where no files can be
    os.environ["PYTHONWARNINGS"] = "ignore"  # in worker processes
    # what comes before the shell is imported may be interrupted, too
    try:
        from lmu_spiking.cli.shell import status

        code = status(arguments)
    except (KeyboardInterrupt, SystemExit) as error:  # while it was imported
        code = 130 if isinstance(error, KeyboardInterrupt) else error.code
        with suppress(OSError):
            print(f"lmu-spiking: {stopped(arguments)}", file=sys.stderr, flush=True)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # already reported, if that is possible
            leave(stream)
    sys.exit(code)


def leave(stream) -> None:
    """Discard what a stream still buffers, so that Python does not write it at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_streams() -> None:
    """Make standard streams that accept all text, even if descriptors are closed.

    Otherwise the next file that is opened would get the closed descriptor, and `print`
    would write to standard output what is meant for a missing standard error.
    """
    # a closed descriptor gets /dev/null: a file that is opened takes the lowest number
    closed = []
    for number, (name, mode) in enumerate(STREAMS):
        try:
            os.fstat(number)
        except OSError:
            closed.append(name)
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")  # letters that the encoding lacks become ?
    if "stdout" in closed:
        said = "lmu-spiking: standard output is closed: results are in --out only"
        with suppress(OSError):
            print(said, file=sys.stderr, flush=True)


def _handle_signals() -> None:
    """Let SIGTERM and SIGHUP end the program in order, unless they are ignored."""

    def stop(number, _frame):
        signal.signal(number, signal.SIG_DFL)  # a second signal ends it at once
        if hasattr(signal, "setitimer"):
            # a finalizer or a callback may have discarded the exception: once more
            signal.signal(signal.SIGALRM, lambda *_: stop(number, None))
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        with suppress(ValueError):  # not in the main thread
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, stop)


def stopped(arguments=None) -> str:
    """Return the message after Ctrl-C and similar signals, for the typed command.

    Parameters
    ----------
    arguments : sequence of str, optional
        As for `main`.

    Returns
    -------
    str
    """
    typed = sys.argv[1:] if arguments is None else list(arguments)
    resumed = typed[:1] and (
        typed[0] in RESUMED
        or (typed[0] == "reproduce" and not set(RESUMED_NAMES).isdisjoint(typed))
    )
    if not resumed or not {"--no-resume", "--fresh"}.isdisjoint(typed):
        return "interrupted"
    return "interrupted; the same command goes on where it was"


def __getattr__(name: str):
    """Return `app`, the Typer application, when it is first asked for."""
    if name == "app":
        from lmu_spiking.cli.shell import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
