"""Error measures and the power law of studies, from `lmu_spiking.metrics`.

This is where the reference lists them; the definitions stand below all rooms.  Memories
are scored by ``nrmse`` over the rms of the target, mean included.
"""

from lmu_spiking.metrics import PowerLaw, confidence, power_law, rms
from lmu_spiking.metrics import relative_rms as nrmse

__all__ = ["PowerLaw", "confidence", "nrmse", "power_law", "rms"]
