"""A correct server that isn't one of the ten: `server.py PORT`.

It has a thread per client, and no flags. A request is a line. If no thread can
be started, the client gets no reply. SIGTERM kills the server at once.
"""

import socketserver
import sys

LINE_BYTES_MAX = 64
N_MAX = 45


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def reply(line):
    """Returns the reply to a line, without its line feed."""
    word = line.removesuffix(b"\n").removesuffix(b"\r").strip(b" \t")
    if not word.isdigit():
        return b"error: not-a-number"
    n = int(word)
    return b"error: too-large" if n > N_MAX else b"%d" % fib(n)


class Client(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        while line := self.rfile.readline(LINE_BYTES_MAX):
            if line.endswith(b"\n"):
                self.wfile.write(reply(line) + b"\n")
            elif len(line) == LINE_BYTES_MAX:
                self.wfile.write(b"error: line-too-long\n")
                while line and not line.endswith(b"\n"):
                    line = self.rfile.readline(LINE_BYTES_MAX)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 1024


Server(("127.0.0.1", int(sys.argv[1])), Client).serve_forever()
