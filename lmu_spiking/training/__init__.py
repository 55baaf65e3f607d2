"""Models that are trained, with TensorFlow: ``pip install 'lmu_spiking[train]'``."""
