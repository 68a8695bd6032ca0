"""Pools: of processes, which leaves none behind, and of threads."""

import os
import threading
from concurrent.futures import (
    BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
)
from multiprocessing import connection, get_context, parent_process

import peer


def pool():
    """A worker for each processor that this process may use.

    To be called before there is a socket: a worker that is forked later would
    hold whatever is open by then, and keep it open. All are forked at the
    first job, whichever way to start them is the default of this Python.
    """
    count = processors()
    workers = ProcessPoolExecutor(count, get_context("fork"), end_with_parent)
    for started in [workers.submit(os.getpid) for _ in range(count)]:
        started.result()
    return workers


def threads():
    """As many threads, which share one processor where there is a GIL."""
    return ThreadPoolExecutor(processors())


def processors():
    return len(os.sched_getaffinity(0))


def end_with_parent():
    """Ends this worker with its parent, however that ends.

    The executor's own workers would wait for ever for jobs from a parent that
    was killed, since each of them holds both ends of their queue.
    """
    threading.Thread(target=wait_for_parent, daemon=True).start()


def wait_for_parent():
    connection.wait([parent_process().sentinel])
    os._exit(1)


def result(future):
    """The reply to a job that is done; waits for one that is not."""
    try:
        return peer.reply(future.result())
    except BrokenExecutor:
        return peer.WORKER_LOST
