"""Code that the Python peers share: the protocol and the command line.

The peers differ only in how they wait for clients and where they compute.
"""

import argparse
import os
import signal
import socket
import sys

# The size of a read in bytes, and so the most input that is buffered for a
# client.
READ_BYTES = 4096

# The longest request line in bytes, LF included.
LINE_BYTES_MAX = 64

# The maximum number of clients that wait to be accepted.
BACKLOG = 1024

N_MAX_DEFAULT = 45
N_MAX = 93

NOT_A_NUMBER = b"error: not-a-number\n"
LINE_TOO_LONG = b"error: line-too-long\n"
WORKER_LOST = b"error: worker-lost\n"


def fib(n):
    """Returns the n-th Fibonacci number, by deliberately naive recursion."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def reply(value):
    """Returns the reply line with `value`."""
    return b"%d\n" % value


class Lines:
    """Decodes requests that are lines.

    `requests(data)` takes what a read returned. For each complete request, it
    yields n, or the error line to send as the reply.
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
        # For bytes, isdigit() accepts only ASCII digits.
        if not digits.isdigit():
            return NOT_A_NUMBER
        n = int(digits)
        if n > self.n_max:
            return b"error: too-large: n must be at most %d\n" % self.n_max
        return n


class Reads(Lines):
    """Decodes requests as the talk's servers do: each read is a request."""

    def requests(self, data):
        if len(data) > LINE_BYTES_MAX:
            yield LINE_TOO_LONG
        else:
            yield self.request(data.strip())


def start(model):
    """Reads the command line and listens; returns what `listen` returns."""
    return listen(flags(model))


def flags(model, pools=()):
    """Reads the command line, with the flag `--pool` if `pools` is given."""
    parser = argparse.ArgumentParser(
        description=f"Serves fib(n) over TCP: {model}"
    )
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
    """Listens on the address given by the flags.

    Returns the listening socket and a function that creates a decoder for a
    new client.
    """
    # Exits immediately and silently: there is nothing to finish or to save.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    if flags.framing == "talk":
        print("framing: talk: each read is taken for one request; correct "
              "only if each send arrives in one read", file=sys.stderr)
    # create_server sets SO_REUSEADDR; accepted sockets inherit TCP_NODELAY.
    listener = socket.create_server(flags.listen, backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host, port = listener.getsockname()
    print(f"listening on {host}:{port} ({flags.model})", flush=True)
    decoder = Reads if flags.framing == "talk" else Lines
    return listener, lambda: decoder(flags.max_n)


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)
