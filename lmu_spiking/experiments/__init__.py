"""What reproduces published results, races rivals and measures this toolkit.

Nothing of the library needs it: the command line runs it, and so does the driver in
``benchmarks/``.
"""

# variables that set the threads of a process for linear algebra
BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def peak_bytes() -> int:
    """Return the most bytes of memory that this process had so far, on Linux.

    `resource.getrusage` would count those of the process that started it, too.
    """
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return 1024 * int(lines["VmHWM"].split()[0])
