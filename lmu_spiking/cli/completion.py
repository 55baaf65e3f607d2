"""What the Tab key offers, and the scripts that make shells ask for it."""

import os
from collections.abc import Callable, MutableMapping
from itertools import pairwise

import typer

from lmu_spiking.cli.known import SHELLS
from lmu_spiking.errors import check_one_of

VARIABLE = "_LMU_SPIKING_COMPLETE"


def offer_names(known: tuple, *, many=False, files: tuple = ()) -> Callable:
    """Return a completion for Typer that offers names.

    Parameters
    ----------
    known : tuple of str
        The names.
    many : bool
        Whether names are also offered after commas.
    files : tuple of str
        Endings of files, which are offered, too, once something is typed.

    Returns
    -------
    callable
        Takes what is typed, and returns what it may become.
    """

    def offer(incomplete: str) -> list[str]:
        before, comma, last = "", "", incomplete
        if many:
            before, comma, last = incomplete.rpartition(",")
        # names already in the list are not offered again
        taken = before.split(",")
        names = [n for n in known if n.startswith(last) and n not in taken]
        offered = [f"{before}{comma}{name}" for name in names]
        if files and (incomplete or not names):
            offered += offer_files(*files)(incomplete)
        return offered

    return offer


def offer_files(*suffixes: str) -> Callable:
    """Return a completion for Typer that offers files of some endings.

    Where there are none it offers nothing, and the shell then offers its own.

    Parameters
    ----------
    *suffixes : str

    Returns
    -------
    callable
        Takes what is typed, and returns what it may become.
    """

    def offer(incomplete: str) -> list[str]:
        folder, start = os.path.split(incomplete)
        try:
            names = sorted(os.listdir(os.path.expanduser(folder) or "."))
        except OSError:
            return []
        fitting = (n for n in names if n.startswith(start) and n.endswith(suffixes))
        return [os.path.join(folder, name) for name in fitting]

    return offer


def begin(environment: MutableMapping[str, str]) -> None:
    """Prepare Typer if a shell asks for completions; otherwise do nothing.

    Parameters
    ----------
    environment : mapping of str to str
        Variables of the process, some of which are changed: Bash makes three words of
        ``--option=value``, of which Typer knows two.
    """
    if VARIABLE not in environment:
        return
    from typer.completion import completion_init

    completion_init()
    # the words of the line, and the number of the one to complete
    words = environment.get("COMP_WORDS", "").split("\n")
    if len(words) == 1:
        words = words[0].split(" ")
    try:
        at = int(environment["COMP_CWORD"])
    except (KeyError, ValueError):
        return
    # drop each "=" after an option; where it is the word itself, nothing is typed yet
    pairs = enumerate(pairwise(words), 1)
    signs = {k for k, (a, b) in pairs if a.startswith("--") and b == "="}
    if at in signs:
        words[at] = ""
    kept = [k for k in range(len(words)) if k == at or k not in signs]
    environment["COMP_WORDS"] = " ".join(words[k] for k in kept)
    environment["COMP_CWORD"] = str(at - sum(sign < at for sign in signs))


def show(shell: str | None) -> None:
    """Print the script that teaches a shell to complete, if one is named."""
    if shell is not None:
        from typer.completion import get_completion_script

        print(get_completion_script(**_names(shell)))
        raise typer.Exit


def install(shell: str | None) -> None:
    """Write that script to where the shell will find it, if one is named."""
    if shell is not None:
        from typer.completion import install as write

        _, path = write(**_names(shell))
        print(f"{shell} completes lmu-spiking when started again: {path}")
        raise typer.Exit


def _names(shell: str) -> dict[str, str]:
    """Return what Typer needs to know, or refuse a shell that it does not know."""
    check_one_of("SHELL", shell, SHELLS)
    return {"prog_name": "lmu-spiking", "complete_var": VARIABLE, "shell": shell}
