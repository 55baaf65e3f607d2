"""The shell: ``lmu-spiking run``, ``study``, ``collect`` and the rest."""

from lmu_spiking.cli.shell import app, main

__all__ = ["app", "main"]
