"""Give damaged and hostile files to all readers: ``python tests/fuzz --files 200000``.

Every file must give what it holds or one line of `LMUSpikingError`, within 2 s of
computing and 1 GiB, and run no code.  A worker that a file kills or hangs is started
again behind it, and the file counted.  The exit status is 0 if there was none.
"""

import argparse
import collections
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

HUNG = 15.0  # seconds of computing, after which a file counts as one that hangs


def work(first: int, last: int, step: int, seed: int, share: float) -> None:
    """Read every ``step``-th file from ``first`` on; print a line of JSON for each."""
    from run import Fuzz, forking

    with tempfile.TemporaryDirectory() as folder, forking() as zygote:
        fuzz = Fuzz(Path(folder), seed, share)
        for number in range(first, last, step):
            print(json.dumps({"begun": number}), flush=True)
            signal.setitimer(signal.ITIMER_PROF, HUNG)
            print(json.dumps(fuzz.one(number, zygote)), flush=True)


def watched(first: int, options) -> subprocess.Popen:
    """Start a process that reads a worker's files from number ``first`` on."""
    numbers = (first, options.files, options.jobs, options.seed, options.share)
    return subprocess.Popen(
        [sys.executable, __file__, "--work", *map(str, numbers)],
        stdout=subprocess.PIPE,
        text=True,
    )


def share_of(worker: int, options, out) -> None:
    """Read all files of one worker, which is restarted if a file ends it."""
    begun, restarts = worker - options.jobs, 0
    while begun + options.jobs < options.files:
        process = watched(begun + options.jobs, options)
        before = begun
        for line in process.stdout:
            told = json.loads(line)
            begun = told.get("begun", begun)
            if "fault" in told:
                out(told)
        if process.wait() == 0:
            return
        restarts += 1
        if begun == before and restarts > 3:
            raise SystemExit("the workers do not start")
        fault = "hangs" if process.returncode == -signal.SIGPROF else "crash"
        out({"number": begun, "kind": "?", "fault": fault, "seconds": 0, "peak": 0})


def main() -> int:
    """Run the workers and print what was found."""
    import threading

    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--share", type=float, default=0.11, help="of HDF5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    start, faults, lock = time.time(), [], threading.Lock()
    counts: collections.Counter = collections.Counter()
    worst: dict = {}

    def summary() -> dict:
        return {
            "files": sum(n for (_, what), n in counts.items() if what == "files"),
            "seed": options.seed,
            "seconds": time.time() - start,
            "by_kind": {
                kind: {what: n for (k, what), n in counts.items() if k == kind}
                | worst.get(kind, {})
                for kind in sorted({k for k, _ in counts})
            },
            "faults": faults,
        }

    def out(told: dict) -> None:
        with lock:
            kind = told["kind"]
            counts[kind, "files"] += 1
            counts[kind, "refused"] += bool(told.get("refused"))
            found = worst.setdefault(kind, {"seconds": 0, "peak": 0})
            for name in found:
                found[name] = max(found[name], told[name])
            if told["fault"]:
                faults.append(told)
                print(json.dumps(told), file=sys.stderr, flush=True)
            done = sum(n for (_, what), n in counts.items() if what == "files")
            if options.out and done % 1000 == 0:
                options.out.write_text(json.dumps(summary(), indent=1))

    threads = [
        threading.Thread(target=share_of, args=(k, options, out))
        for k in range(options.jobs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = json.dumps(summary(), indent=1)
    if options.out:
        options.out.write_text(text)
    print(text)
    return int(bool(faults))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*map(int, sys.argv[2:6]), float(sys.argv[6]))
    else:
        sys.exit(main())
