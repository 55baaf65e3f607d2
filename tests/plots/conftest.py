"""Pictures with few dots: everything is drawn, in a tenth of the time."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def few_dots(monkeypatch):
    real = Figure.savefig

    def savefig(figure, file, **options):
        return real(figure, file, **options | {"dpi": 40})

    monkeypatch.setattr(Figure, "savefig", savefig)
