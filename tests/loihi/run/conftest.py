"""Short measurements: these tests are of what is done with a layout, not of its errors.

Six seconds of a signal determine the decoders of the few neurons here; thirty, as users
have them, would take most of the time of every test.
"""

import pytest

from lmu_spiking.loihi.mapping import layout


@pytest.fixture(scope="module", autouse=True)
def short_measurements():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "SECONDS", 6.0)
        yield
