"""A thread per client, and fib in a pool of processes.

Each process has an interpreter of its own, and so a lock of its own. What
computes in one takes nothing from the threads of another.
"""

import os
import socket
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process

# How many jobs are computed at once. A short one finds a worker as long as
# fewer than these are long.
WORKERS = 4

# The largest n that is computed.
N_MAX = 93

# What has more digits is not looked at: Python refuses some 4,300.
DIGITS_MAX = 60


def fib(n):
    """The n-th Fibonacci number, by naive recursion: the cost is the point."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def end_with_parent():
    """Ends this worker with its parent, however that ends.

    A worker would wait for ever for jobs from a parent that was killed.
    """
    threading.Thread(target=wait_for_parent, daemon=True).start()


def wait_for_parent():
    connection.wait([parent_process().sentinel])
    os._exit(1)


def start_pool():
    """Starts the workers, all of them at the first job.

    To be called before there is a socket, since a fork holds what is open.
    """
    pool = ProcessPoolExecutor(WORKERS, get_context("fork"), end_with_parent)
    pool.submit(fib, 1).result()
    return pool


def serve(pool, port):
    """Accepts clients, and gives each a thread."""
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        client, _ = listener.accept()
        talk = threading.Thread(
            target=converse, args=(client, pool), daemon=True
        )
        talk.start()


def converse(client, pool):
    """Answers one client until it leaves."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        with client, client.makefile("rb") as lines:
            for line in lines:
                client.sendall(answer(line, pool))
    except ConnectionError:
        pass  # It has left in a hurry.


def answer(line, pool):
    """The reply to a line."""
    digits = line.strip()
    # Of bytes, it takes ASCII's digits alone.
    is_number = digits.isdigit() and len(digits) <= DIGITS_MAX
    if not is_number or int(digits) > N_MAX:
        return b"error: not-a-number\n"
    try:
        return b"%d\n" % pool.submit(fib, int(digits)).result()
    except BrokenProcessPool:
        # It has lost a worker, and computes no more.
        return b"error: worker-lost\n"


if __name__ == "__main__":
    serve(start_pool(), int(sys.argv[1]))
