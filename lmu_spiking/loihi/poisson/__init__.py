"""Neurons of the chip with noise of their own: they spike almost as Poisson neurons."""
