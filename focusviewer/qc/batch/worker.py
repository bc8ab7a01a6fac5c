"""The worker program: takes tasks from stdin and answers on stdout, one at a time, until stdin ends.

A program of its own, so that a task that crashes, hangs or eats the memory costs that task and nothing else.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import struct
import threading
from contextlib import suppress
from typing import Any, BinaryIO

from focusviewer.qc.batch.tasks import perform

READY, BEGUN = "ready", "begun"
_LENGTH = struct.Struct("<Q")


def send(stream: BinaryIO, message: object) -> None:
    """Write one message."""
    data = pickle.dumps(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one message.

    Raises
    ------
    EOFError
        If the other side is gone.
    """
    head = _exactly(stream, _LENGTH.size)
    return pickle.loads(_exactly(stream, *_LENGTH.unpack(head)))


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def main() -> None:
    """Work until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the program that started us
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Codecs write to stdout when they please: not among our messages.
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(2, 1)
    tasks: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_listen, args=(inbox, tasks), daemon=True).start()
    send(outbox, READY)
    while True:
        task = tasks.get()
        with suppress(Exception):  # what is missing fails in the run, which says why
            task.prepare()
        send(outbox, BEGUN)
        send(outbox, perform(task))


def _listen(inbox: BinaryIO, tasks: queue.Queue[Any]) -> None:
    """Pass tasks on; end at once when the sender is gone, since nobody waits for the task at work."""
    while True:
        try:
            tasks.put(receive(inbox))
        except (EOFError, OSError):
            os._exit(0)


if __name__ == "__main__":
    main()
