"""What each simulator needs to run a memory, in an interpreter of its own.

A peer is a module with ``build(case)``, which returns a function that runs so many steps
and what is to be known of it.  It stands on numpy and its peer alone, since the peer may
live where nothing else does: ``python -m peers NAME CASE.npz SECONDS`` from the folder
above.
"""
