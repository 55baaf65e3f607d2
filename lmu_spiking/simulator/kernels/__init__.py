"""Compiled kernels, and the loop that runs them; nothing outside needs numba."""
