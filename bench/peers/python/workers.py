"""Pools of processes, which end with the server, and pools of threads."""

import os
import threading
from concurrent.futures import (
    BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
)
from multiprocessing import connection, get_context, parent_process

import peer


def pool():
    """Returns a pool with a worker process per processor that may be used.

    Call this before opening a socket: a worker that is forked later would
    inherit the open sockets and keep them open. All workers are forked at the
    first job, whatever start method is the default of this Python.
    """
    count = processors()
    workers = ProcessPoolExecutor(count, get_context("fork"), end_with_parent)
    for started in [workers.submit(os.getpid) for _ in range(count)]:
        started.result()
    return workers


def threads():
    """Returns a pool with as many threads, which share one core under a GIL."""
    return ThreadPoolExecutor(processors())


def processors():
    return len(os.sched_getaffinity(0))


def end_with_parent():
    """Makes this worker exit when its parent does, for whatever reason.

    If the parent was killed, the executor's own workers would wait for jobs
    for ever, since each worker has both ends of the queue open.
    """
    threading.Thread(target=wait_for_parent, daemon=True).start()


def wait_for_parent():
    connection.wait([parent_process().sentinel])
    os._exit(1)


def result(future):
    """Returns the reply to a job; waits for the job if it isn't done."""
    try:
        return peer.reply(future.result())
    except BrokenExecutor:
        return peer.WORKER_LOST
