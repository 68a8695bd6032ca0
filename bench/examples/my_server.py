"""A contestant in twenty lines: a thread per client, which computes fib.

    cargo run --release -p compare -- -e '^threads$' \
        --with 'mine=python3 bench/examples/my_server.py {port}'
"""

import socketserver
import sys


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Client(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"%d\n" % fib(int(line)))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 1024


Server(("127.0.0.1", int(sys.argv[1])), Client).serve_forever()
