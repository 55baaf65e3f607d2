"""What each simulator needs to run a memory, in an interpreter of its own.

A peer is a module with ``build(case)``, which returns a function that runs so many
steps and returns the states (steps, d).  It stands on numpy and its peer alone, since
the peer may live where nothing else does: see `__main__`.
"""
