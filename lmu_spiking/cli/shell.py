"""The front of the shell: which commands there are, and how every one of them ends."""

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer
from threadpoolctl import threadpool_limits

from lmu_spiking import __version__
from lmu_spiking.cli.bench import bench
from lmu_spiking.cli.console import NAME, explain, show_warning, tell
from lmu_spiking.cli.convert import convert
from lmu_spiking.cli.deploy import deploy
from lmu_spiking.cli.doctor import doctor
from lmu_spiking.cli.plan import plan
from lmu_spiking.cli.reproduce import reproduce
from lmu_spiking.cli.run import run
from lmu_spiking.cli.spikes import spikes
from lmu_spiking.cli.study import collect, study
from lmu_spiking.cli.train import train

HELP = """
Spiking memories of a sliding window, with the error known before the run.

\b
  lmu-spiking run                        white noise, 6,000 Poisson neurons
  lmu-spiking run --input ecg            an electrocardiogram
  lmu-spiking plan --error 0.05          the smallest memory of that error
  lmu-spiking study --orders 3,6,12      error against neurons, beside the law
  lmu-spiking collect out/study          tables and report of what is finished
  lmu-spiking train digits               a rate model on a task
  lmu-spiking convert out/digits/model.npz   the same weights in spikes
  lmu-spiking deploy                     on Loihi's emulator: loss, cores, energy
  lmu-spiking reproduce capacity         a published table beside ours
  lmu-spiking spikes                     neuron types: what their spikes are worth
  lmu-spiking bench simulator            speed beside other simulators
  lmu-spiking doctor                     what is installed, what is missing

Every command has --help with examples, and --json for scripts. Times are in seconds,
rates in Hz.
"""

app = typer.Typer(help=HELP, add_completion=False, rich_markup_mode=None)
for command in (
    *(run, plan, study, collect, spikes),
    *(train, convert, deploy, reproduce, doctor),
):
    app.command()(command)
app.add_typer(bench, name="bench")


@app.callback(invoke_without_command=True)
def front(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.")
    ] = False,
):
    """Show the version, or the help where no command is given."""
    if version:
        print(f"{NAME} {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the shell and exit: 0, 2 for a user's mistake, 130 for Ctrl-C."""
    # matrices are small here: threads of the BLAS would only wait for each other
    with threadpool_limits(1):
        code = status(arguments)
    sys.exit(code)


def status(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status; a failure is told in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        show_warning()
        try:
            code = app(arguments, prog_name=NAME, standalone_mode=False) or 0
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read our output has left
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except (KeyboardInterrupt, typer.Abort):
            code = 130
        except Exception as error:
            if os.environ.get("LMU_SPIKING_TRACEBACK"):
                raise
            line, code = explain(error)
            tell(line)
    if code == 130:
        tell("interrupted; a study or training goes on where it was when started again")
    return code
