"""A server with a thread per client, and a pool of processes for fib.

Each process has its own interpreter, and so its own lock. Computing in one
process doesn't slow the threads of another.
"""

import os
import socket
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process

# How many jobs are computed at once. A short request finds an idle worker as
# long as fewer requests than this are long.
WORKERS = 4

# The largest n that the server computes.
N_MAX = 93

# Lines with more digits are rejected unparsed: int() fails above 4,300.
DIGITS_MAX = 60


def fib(n):
    """Returns the n-th Fibonacci number, by costly naive recursion."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def end_with_parent():
    """Makes this worker exit when its parent does, even if that is killed.

    Otherwise, the worker would wait for jobs for ever.
    """
    threading.Thread(target=wait_for_parent, daemon=True).start()


def wait_for_parent():
    connection.wait([parent_process().sentinel])
    os._exit(1)


def start_pool():
    """Starts all workers, by a first job.

    Must be called before any socket is opened: a fork inherits open files.
    """
    pool = ProcessPoolExecutor(WORKERS, get_context("fork"), end_with_parent)
    pool.submit(fib, 1).result()
    return pool


def serve(pool, port):
    """Accepts clients, and starts a thread for each."""
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
        pass  # The client has reset the connection.


def answer(line, pool):
    """Returns the reply to a line."""
    digits = line.strip()
    # For bytes, isdigit() accepts ASCII digits only.
    is_number = digits.isdigit() and len(digits) <= DIGITS_MAX
    if not is_number or int(digits) > N_MAX:
        return b"error: not-a-number\n"
    try:
        return b"%d\n" % pool.submit(fib, int(digits)).result()
    except BrokenProcessPool:
        # The pool has lost a worker, and accepts no more jobs.
        return b"error: worker-lost\n"


if __name__ == "__main__":
    serve(start_pool(), int(sys.argv[1]))
