"""Error measures and the power law of studies, from `lmu_spiking.metrics`.

This is where the reference lists them; the definitions stand below all rooms.
"""

from lmu_spiking.metrics import PowerLaw, confidence, nrmse, power_law, rms

__all__ = ["PowerLaw", "confidence", "nrmse", "power_law", "rms"]
