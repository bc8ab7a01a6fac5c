"""How workers share the processor with torch. Imports torch."""

from __future__ import annotations

import threading

import torch

_THREADS = torch.get_num_threads()


def one_core() -> None:
    """Let torch use one core in the calling thread, and leave other threads as they were."""
    torch.get_num_threads()  # the first use in a thread sets its count to the default; have that behind us
    torch.set_num_threads(1)
    # The call sets this thread's count and the default of threads to come: put the latter back.
    other = threading.Thread(target=torch.set_num_threads, args=(_THREADS,))
    other.start()
    other.join()


def all_cores() -> None:
    """Let torch use in the calling thread as many cores as it would by itself."""
    torch.get_num_threads()
    torch.set_num_threads(_THREADS)
