"""Help that teaches: what for, how to type it, examples that run, options in groups."""

import contextlib
import inspect

from typer.core import TyperCommand, TyperGroup

from lmu_spiking.cli.console import Bar, as_typed, quiet_logs, ticking
from lmu_spiking.errors import ValidationError

OTHERS = "About"


class Command(TyperCommand):
    """A command whose help is plain text of at most 80 columns."""

    def invoke(self, ctx):
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
        """Summary, usage, examples, notes, options."""
        _write_opening(self, ctx, formatter)
        _write_options(self, ctx, formatter)


class Group(TyperGroup):
    """Several commands, in the order and under the headings they were given."""

    def format_help(self, ctx, formatter) -> None:
        """Summary, usage, examples, notes, commands, options."""
        _write_opening(self, ctx, formatter)
        panels: dict = {}
        for name, command in self.commands.items():
            heading = getattr(command, "rich_help_panel", None)
            panels.setdefault(heading or "Commands", []).append((name, _short(command)))
        width = max(map(len, self.commands)) + 2
        for heading, rows in panels.items():
            with formatter.section(heading):
                padded = [(name.ljust(width - 2), short) for name, short in rows]
                formatter.write_dl(padded)
        _write_options(self, ctx, formatter)


def _short(command) -> str:
    """The first line of its help, or what a group says in its own."""
    return inspect.cleandoc(command.help or "").partition("\n\n")[0].rstrip(".")


def _write_opening(command, ctx, formatter) -> None:
    """Paragraphs of the docstring; one that begins with a backspace is of examples."""
    summary, *paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    formatter.write_text(summary)
    formatter.write_paragraph()
    formatter.write_usage(ctx.command_path, " ".join(_pieces(command)))
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


def _pieces(command) -> list[str]:
    """What is written after the command, of whatever version of Typer."""
    arguments = [p.metavar for p in command.params if p.param_type_name == "argument"]
    after = ["COMMAND"] if isinstance(command, TyperGroup) else []
    return ["[OPTIONS]", *arguments, *after]


def _write_options(command, ctx, formatter) -> None:
    """Options under their headings, with what holds where they are not given."""
    panels: dict = {}
    for param in command.get_params(ctx):
        row = _row(param, ctx)
        if row is not None:
            heading = getattr(param, "rich_help_panel", None)
            if param.param_type_name == "argument":
                heading = "Arguments"
            elif "--help" in param.opts:
                heading = list(panels)[-1] if panels else OTHERS
            panels.setdefault(heading or OTHERS, []).append(row)
    width = max((len(name) for rows in panels.values() for name, _ in rows), default=0)
    for heading, rows in panels.items():
        with formatter.section(heading):
            padded = [(name.ljust(min(width, 26)), help) for name, help in rows]
            formatter.write_dl(padded, col_max=26)


def _row(param, ctx) -> tuple[str, str] | None:
    """How it is written, and what it does."""
    if getattr(param, "hidden", False):
        return None
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
