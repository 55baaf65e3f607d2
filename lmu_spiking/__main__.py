"""``python -m lmu_spiking`` is ``lmu-spiking``."""

from lmu_spiking.cli import main

if __name__ == "__main__":
    main()
