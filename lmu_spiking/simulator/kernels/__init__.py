"""Compiled kernels, and the loop that runs them."""
