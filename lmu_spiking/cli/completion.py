"""What the Tab key offers, and the scripts that make shells ask for it."""

import os
from collections.abc import Callable
from pathlib import Path

import typer

VARIABLE = "_LMU_SPIKING_COMPLETE"


def names_from(known: tuple, *, many=False, files: tuple = ()) -> Callable:
    """Offers names that are known; with ``many`` after each comma, too.

    Where no name begins so, files of the given endings.
    """

    def offer(incomplete: str) -> list[str]:
        before, comma, last = (
            incomplete.rpartition(",") if many else ("", "", incomplete)
        )
        taken = before.split(",")
        found = [n for n in known if n.startswith(last) and n not in taken]
        if files and (incomplete or not found):
            found += _files(incomplete, files)
        return [f"{before}{comma}{name}" for name in found]

    return offer


def files(*suffixes: str) -> Callable:
    """Offers files of these endings; nothing, and so the shell's own, where none is."""

    def offer(incomplete: str) -> list[str]:
        return _files(incomplete, suffixes)

    return offer


def _files(incomplete: str, suffixes: tuple) -> list[str]:
    folder, start = os.path.split(incomplete)
    try:
        found = sorted(os.listdir(os.path.expanduser(folder) or "."))
    except OSError:
        return []
    return [
        os.path.join(folder, name)
        for name in found
        if name.startswith(start) and name.endswith(suffixes)
    ]


def begin(environment) -> None:
    """Get ready where a shell asks for completions; anywhere else do nothing.

    Bash makes three words of ``--option=value``, of which Typer knows two.
    """
    if VARIABLE not in environment:
        return
    from typer.completion import completion_init

    completion_init()
    words = environment.get("COMP_WORDS", "").split("\n")
    if len(words) == 1:
        words = words[0].split(" ")
    try:
        at = int(environment["COMP_CWORD"])
    except (KeyError, ValueError):
        return
    kept, current = [], at
    for k, word in enumerate(words):
        if word == "=" and k > 0 and words[k - 1].startswith("--"):
            if k == at:  # nothing after it yet
                kept.append("")
            elif k < at:
                current -= 1
            continue
        kept.append(word)
    environment["COMP_WORDS"] = " ".join(kept)
    environment["COMP_CWORD"] = str(current)


def show(shell: str | None) -> None:
    """Print the script that teaches a shell to complete."""
    if shell is not None:
        from typer.completion import get_completion_script

        print(get_completion_script(**_names(shell)))
        raise typer.Exit


def install(shell: str | None) -> None:
    """Write that script to where the shell will find it."""
    if shell is not None:
        from typer.completion import install as put

        _, path = put(**_names(shell))
        print(f"{shell} completes lmu-spiking when started again: {Path(path)}")
        raise typer.Exit


def _names(shell: str) -> dict:
    from lmu_spiking.cli.known import SHELLS
    from lmu_spiking.errors import ValidationError

    if shell not in SHELLS:
        raise ValidationError("SHELL", shell, "is unknown", "use bash, zsh or fish")
    names = {"prog_name": "lmu-spiking", "complete_var": VARIABLE}
    return names | {"shell": shell}
