"""Help that teaches: what for, how to type it, examples that run, options in groups."""

import contextlib
import inspect
from typing import Any

from typer.core import TyperCommand, TyperGroup

from lmu_spiking.cli.console import Bar, as_typed, quiet_logs, ticking
from lmu_spiking.errors import ValidationError

OTHERS = "About"


class Command(TyperCommand):
    """A command whose help is plain text of at most 80 columns."""

    def invoke(self, ctx) -> Any:
        """Run the command; announce the imports that take a second."""
        with ticking(), quiet_logs():
            # the command itself reports missing packages
            with Bar("Starting"), contextlib.suppress(ImportError):
                import lmu_spiking.studies.trial  # noqa: F401
            from threadpoolctl import threadpool_limits

            # matrices are small: threads of the BLAS would only wait for each other
            with threadpool_limits(1):
                try:
                    return super().invoke(ctx)
                except ValidationError as error:
                    raise as_typed(error, self.params, ctx.params) from error

    def format_help(self, ctx, formatter) -> None:
        """Write the summary, usage, examples, notes and options."""
        _write_opening(self, ctx, formatter)
        _write_options(self, ctx, formatter)


class Group(TyperGroup):
    """Several commands, in the order and under the headings they were given."""

    def format_help(self, ctx, formatter) -> None:
        """Write the summary, usage, examples, notes, commands and options."""
        _write_opening(self, ctx, formatter)
        panels: dict = {}
        width = max(map(len, self.commands))
        for name, command in self.commands.items():
            heading = getattr(command, "rich_help_panel", None) or "Commands"
            summary = _paragraphs(command)[0].rstrip(".")
            panels.setdefault(heading, []).append((name.ljust(width), summary))
        for heading, rows in panels.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
        _write_options(self, ctx, formatter)


def _paragraphs(command) -> list[str]:
    """Return the paragraphs of a command's docstring."""
    return inspect.cleandoc(command.help or "").split("\n\n")


def _write_opening(command, ctx, formatter) -> None:
    """Write the docstring; a paragraph that begins with a backspace holds examples."""
    summary, *paragraphs = _paragraphs(command)
    formatter.write_text(summary)
    formatter.write_paragraph()
    arguments = [p.metavar for p in command.params if p.param_type_name == "argument"]
    arguments += ["COMMAND"] if isinstance(command, TyperGroup) else []
    formatter.write_usage(ctx.command_path, " ".join(["[OPTIONS]", *arguments]))
    for paragraph in paragraphs:
        if paragraph.lstrip().startswith("\b"):
            lines = paragraph.replace("\b", "").strip("\n").splitlines()
            heading = "Examples"
            if lines[0].endswith(":"):
                heading, *lines = lines
            formatter.write(f"\n{heading.rstrip(':')}:\n")
            formatter.write("".join(f"  {line}".rstrip() + "\n" for line in lines))
        else:
            formatter.write_paragraph()
            formatter.write_text(" ".join(paragraph.split()))


def _write_options(command, ctx, formatter) -> None:
    """Write options under their headings, with what holds if they are not given."""
    panels: dict = {}
    for param in command.get_params(ctx):
        if getattr(param, "hidden", False):
            continue
        heading = getattr(param, "rich_help_panel", None)
        if param.param_type_name == "argument":
            heading = "Arguments"
        elif "--help" in param.opts:  # it joins the last of the others
            heading = list(panels)[-1] if panels else OTHERS
        panels.setdefault(heading or OTHERS, []).append(_row(param))
    width = max((len(name) for rows in panels.values() for name, _ in rows), default=0)
    for heading, rows in panels.items():
        with formatter.section(heading):
            padded = [(name.ljust(min(width, 26)), help) for name, help in rows]
            formatter.write_dl(padded, col_max=26)


def _row(param) -> tuple[str, str]:
    """Return how a parameter is typed, and its help."""
    if param.param_type_name == "argument":
        return param.metavar, param.help or ""
    if "--help" in param.opts:
        return "--help", "Show this"
    names = "/".join([*param.opts, *param.secondary_opts])
    help, default = param.help or "", param.default
    if not param.is_flag:
        names = f"{names} {param.metavar}"
        if default is not None and not callable(default):
            shown = f"{default:g}" if isinstance(default, float) else default
            help = f"{help} [{shown}]"
    elif param.secondary_opts:
        help = f"{help} [{'--no' if not default else param.opts[0]}]"
    return names, help
