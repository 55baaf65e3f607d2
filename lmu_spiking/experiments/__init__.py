"""What reproduces published results, races rivals and measures this toolkit.

Nothing of the library needs it: the command line runs it, and so do the scripts in
``benchmarks/``.
"""
