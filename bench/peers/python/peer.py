"""What the Python peers share: the protocol, and their command line.

A peer differs from the others in how it waits, and in where it computes. What
is left stands here.
"""

import argparse
import os
import signal
import socket
import sys

# A read, and so the most input that is held for a client, in bytes.
READ_BYTES = 4096

# The longest request line in bytes, LF included.
LINE_BYTES_MAX = 64

# How many clients wait to be accepted, at most.
BACKLOG = 1024

N_MAX_DEFAULT = 45
N_MAX = 93

NOT_A_NUMBER = b"error: not-a-number\n"
LINE_TOO_LONG = b"error: line-too-long\n"
WORKER_LOST = b"error: worker-lost\n"


def fib(n):
    """The n-th Fibonacci number, by naive recursion: the cost is the point."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def reply(value):
    """The line that answers a request."""
    return b"%d\n" % value


class Lines:
    """Requests, each a line.

    `requests(data)` takes what a read returned, and gives for each request
    that is complete its n, or the error line that answers it.
    """

    def __init__(self, n_max):
        self.n_max = n_max
        self.rest = b""
        self.skipping = False

    def requests(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            if self.skipping:
                self.skipping = False
            elif len(line) >= LINE_BYTES_MAX:
                yield LINE_TOO_LONG
            else:
                yield self.request(line.removesuffix(b"\r").strip(b" \t"))
        if self.skipping or len(self.rest) >= LINE_BYTES_MAX:
            if not self.skipping:
                yield LINE_TOO_LONG
            self.skipping, self.rest = True, b""

    def request(self, digits):
        # Of bytes, it takes ASCII's digits alone.
        if not digits.isdigit():
            return NOT_A_NUMBER
        n = int(digits)
        if n > self.n_max:
            return b"error: too-large: n must be at most %d\n" % self.n_max
        return n


class Reads(Lines):
    """Requests as the talk's clients send them: each read is one."""

    def requests(self, data):
        if len(data) > LINE_BYTES_MAX:
            yield LINE_TOO_LONG
        else:
            yield self.request(data.strip())


def start(model):
    """Reads the command line and listens."""
    return listen(flags(model))


def flags(model, pools=()):
    """Reads the command line, with a choice of pools if there is one."""
    parser = argparse.ArgumentParser(description=f"fib, served by {model}")
    parser.set_defaults(model=model)
    parser.add_argument("--listen", type=address, metavar="HOST:PORT",
                        default=("127.0.0.1", 25000))
    parser.add_argument("--framing", choices=["line", "talk"], default="line")
    parser.add_argument("--max-n", type=int, metavar="N",
                        choices=range(N_MAX + 1), default=N_MAX_DEFAULT)
    if pools:
        parser.add_argument("--pool", choices=pools, default=next(iter(pools)))
    return parser.parse_args()


def listen(flags):
    """Listens, as the flags say.

    Returns the listening socket and a function that makes a decoder for a
    client.
    """
    # At once, and without a word: there is nothing to finish or to save.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    if flags.framing == "talk":
        print("framing: talk: each read is a request, right only while each "
              "send arrives as one", file=sys.stderr)
    # It reuses the address, and each socket that it accepts has its option.
    listener = socket.create_server(flags.listen, backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host, port = listener.getsockname()
    print(f"listening on {host}:{port} ({flags.model})", flush=True)
    decoder = Reads if flags.framing == "talk" else Lines
    return listener, lambda: decoder(flags.max_n)


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)
