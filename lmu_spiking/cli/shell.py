"""The front of the shell: which commands there are, and how every one of them ends.

It stands apart from `lmu_spiking.cli`, which imports it late, so that a word is
completed before all commands are imported.
"""
# Functions declare the options, so that annotations are calls:
# pyright: reportInvalidTypeForm=false

import os
import sys
import warnings
from collections.abc import Sequence

import typer
from typer.main import get_command

from lmu_spiking import __version__
from lmu_spiking.cli import completion, leave, stopped
from lmu_spiking.cli import options as o
from lmu_spiking.cli.bench import bench
from lmu_spiking.cli.console import NAME, explain, show_warnings, tell
from lmu_spiking.cli.convert import convert
from lmu_spiking.cli.deploy import deploy
from lmu_spiking.cli.doctor import doctor
from lmu_spiking.cli.help import Command, Group
from lmu_spiking.cli.known import SHELLS
from lmu_spiking.cli.plan import plan
from lmu_spiking.cli.reproduce import reproduce
from lmu_spiking.cli.run import run
from lmu_spiking.cli.spikes import spikes
from lmu_spiking.cli.stream import stream
from lmu_spiking.cli.study import collect, study
from lmu_spiking.cli.train import train

HELP = """Spiking memories of a sliding window, with the error known before the run.

\b
Start here:
lmu-spiking doctor                   what works here, what to install
lmu-spiking run                      a window of white noise in 6,000 neurons
lmu-spiking plan --error 0.1         the smallest memory of that error
lmu-spiking run --spec out/plan/spec.toml      and whether it keeps it

COMMAND --help shows examples and every option. Time is in seconds, rates are in Hz.
All take --json, for one line of JSON on standard output.
"""

COMMANDS = {
    "One memory": (doctor, run, plan, stream),
    "Many memories": (study, collect, spikes),
    "Trained networks": (train, convert),
    "Loihi": (deploy,),
    "Published and peers": (reproduce,),
}

app = typer.Typer(cls=Group, help=HELP, add_completion=False, rich_markup_mode=None)
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(cls=Command, rich_help_panel=panel)(command)
app.add_typer(bench, name="bench", rich_help_panel=panel)


OF_SHELL = {"panel": None, "complete": completion.offer_names(SHELLS)}
SHOW = "Print what makes bash, zsh or fish complete commands"
INSTALL = "Make bash, zsh or fish complete commands from now on"


@app.callback(invoke_without_command=True)
def front(
    context: typer.Context,
    version: o.flag("Show the version", "--version", panel=None) = False,
    show_completion: o.text(SHOW, "SHELL", **OF_SHELL) = None,
    install_completion: o.text(INSTALL, "SHELL", **OF_SHELL) = None,
):
    """Show the version, or the help where no command is given."""
    completion.show(show_completion)
    completion.install(install_completion)
    if version:
        print(f"{NAME} {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


ROOT = get_command(app)  # made once: it takes longer than to read a line


def status(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status; a failure is told in one line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; that of this process by default.

    Returns
    -------
    int
    """
    # a shell may ask for completions in place of a command
    completion.begin(os.environ)
    try:
        os.getcwd()
    except OSError as error:
        tell(f"the current folder: {error.strerror}; change to another")
        return 2
    # warnings are ours alone, and every failure is one line
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        show_warnings()
        try:
            code = ROOT.main(arguments, prog_name=NAME, standalone_mode=False) or 0
            sys.stdout.flush()
        except (KeyboardInterrupt, typer.Abort):
            code = 130
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
            if code < 128:  # Typer exits so if the reader of our output has gone
                leave(sys.stdout)
                return 0
        except BrokenPipeError:
            leave(sys.stdout)
            return 0
        except Exception as error:
            if os.environ.get("LMU_SPIKING_TRACEBACK"):
                raise
            line, code = explain(error)
            tell(line)
    # a signal, or Ctrl-C, has ended the command
    if code > 128:
        tell(stopped(arguments))
    return code
