"""What can go wrong, in one line: the attribute, the value, the limit, the way out."""


class LMUSpikingError(Exception):
    """Any error that a user of lmu_spiking can cause and mend."""


class ValidationError(LMUSpikingError, ValueError):
    """An argument is outside its range.

    Parameters
    ----------
    attribute : str
        What was wrong, as the user wrote it: ``"LDN.theta"``.
    value : object
        The value that was given.
    problem : str
        The limit it breaks, continuing the sentence: ``"must be positive"``.
    remedy : str, optional
        The way out: ``"use at least 12"``.
    """

    def __init__(self, attribute: str, value: object, problem: str, remedy: str = ""):
        message = f"{attribute}: {_short(value)} {problem}"
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.attribute = attribute
        self.value = value


class MappingError(LMUSpikingError, ValueError):
    """No stable network realises this system with this synapse."""


class SignalFileError(LMUSpikingError, OSError):
    """A file that should hold a signal or a spec is missing, corrupt or unreadable."""


class MissingPackageError(LMUSpikingError, ImportError):
    """An optional package is missing; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str):
        super().__init__(
            f"{package} is not installed; run: pip install 'lmu_spiking[{extra}]'"
        )


def _short(value: object, width: int = 60) -> str:
    """One line of ``repr``, cut to ``width`` characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= width else text[: width - 3] + "..."
