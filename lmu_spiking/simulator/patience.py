"""Ctrl-C during a run, and the pool of one thread."""

import signal
import threading


class Alone:
    """Stands for a pool of one thread."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    map = staticmethod(map)


class Patience:
    """Keeps Ctrl-C until a step, or a block of compiled ones, is done; not a second."""

    def __init__(self):
        self.over = False
        self._wanted = threading.current_thread() is threading.main_thread()

    def __enter__(self):
        if self._wanted:
            self._before = signal.getsignal(signal.SIGINT)
            self._wanted = self._before is signal.default_int_handler
        if self._wanted:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_):
        if self._wanted:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, *_):
        if self.over:
            raise KeyboardInterrupt
        self.over = True
