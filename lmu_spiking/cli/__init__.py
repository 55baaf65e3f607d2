"""The shell: ``lmu-spiking run``, ``study``, ``collect`` and the rest.

Nothing heavy is imported here, nor by what declares the commands: a word is completed,
and a mistake refused, before Nengo is there.
"""

import os
import sys

RESUMED = ("study", "spikes", "train")
RESUMED_NAMES = ("mackey-glass", "psmnist")  # of reproduce


def main(arguments=None) -> None:
    """Run the shell and exit: 0, 2 for a user's mistake, 130 for Ctrl-C."""
    try:
        from lmu_spiking.cli.shell import status

        code = status(arguments)
    except KeyboardInterrupt:  # while it was imported
        print(f"lmu-spiking: {stopped(arguments)}", file=sys.stderr)
        code = 130
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def stopped(arguments=None) -> str:
    """What is said after Ctrl-C, of what was typed."""
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
