"""A pool of processes, which leaves none behind."""

import os
import threading
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing import connection, parent_process

import peer


def pool():
    """A worker for each processor that this process may use.

    To be called before there is a socket: a worker that is forked later would
    hold whatever is open by then, and keep it open.
    """
    count = len(os.sched_getaffinity(0))
    workers = ProcessPoolExecutor(count, initializer=end_with_parent)
    for started in [workers.submit(os.getpid) for _ in range(count)]:
        started.result()
    return workers


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
