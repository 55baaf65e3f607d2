"""The shell: ``lmu-spiking run``, ``study``, ``reproduce`` and ``doctor``."""

from lmu_spiking.cli.shell import app, main

__all__ = ["app", "main"]
