"""How workers share the processor with torch, and what it can do. Imports torch."""

from __future__ import annotations

import functools
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


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 numbers, which convolutions gain two to three times from."""
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(known is not None and known())
