"""Worker processes on this machine, which end when this process ends.

A process that is killed cannot end its children.  So every child watches its parent:
the first function that it calls is `follow`.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

LOOK = 0.5  # seconds between checks of the parent
PR_SET_PDEATHSIG = 1  # of Linux's prctl


def in_processes(
    function: Callable, arguments: Iterable[tuple], jobs: int, ordered: bool = True
) -> Iterator:
    """Yield ``function(*each)`` for each of the arguments, from processes of joblib.

    Each has one thread for the BLAS.  With one job there is no process but this one.

    Parameters
    ----------
    function : callable
    arguments : iterable of tuple
    jobs : int
        Processes; -1 for one on each core.
    ordered : bool
        Whether results come in the order of the arguments, or as each is ready.

    Yields
    ------
    object
        What the function returned.
    """
    import joblib  # slow to import

    options = {"inner_max_num_threads": 1, **following()}
    with joblib.parallel_config("loky", n_jobs=jobs, **options):
        kind = "generator" if ordered else "generator_unordered"
        run = joblib.Parallel(return_as=kind, batch_size=1)  # type: ignore[arg-type]
    yield from run(joblib.delayed(function)(*each) for each in arguments)


def following() -> dict:
    """Return options for joblib with which its workers follow this process.

    Returns
    -------
    dict
    """
    main = threading.current_thread() is threading.main_thread()
    return {"initializer": follow, "initargs": (os.getpid(), main)}


def follow(parent: int, at_once: bool = True) -> None:
    """End this process when its parent has ended; the child process calls it.

    Parameters
    ----------
    parent : int
        Number of the process that started this one.
    at_once : bool
        Ask Linux to end it as well, whatever it is doing.  Linux does so when the
        thread that started this process ends: that must be the parent's main thread.
    """
    if os.name != "posix":  # elsewhere a process keeps the number of an ended parent
        return
    if at_once and sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
