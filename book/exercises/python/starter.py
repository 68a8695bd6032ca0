"""A thread per client, which computes in it.

It answers everybody rightly, but not everybody soon. What is wrong with it?
`cargo run -p check -- python` says what happens; why it does, stands in the
chapter.
"""

import socket
import sys
import threading

# The largest n that is computed.
N_MAX = 93

# What has more digits is not looked at: Python refuses some 4,300.
DIGITS_MAX = 60


def fib(n):
    """The n-th Fibonacci number, by naive recursion: the cost is the point."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def serve(port):
    """Accepts clients, and gives each a thread."""
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        client, _ = listener.accept()
        talk = threading.Thread(target=converse, args=(client,), daemon=True)
        talk.start()


def converse(client):
    """Answers one client until it leaves."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        with client, client.makefile("rb") as lines:
            for line in lines:
                client.sendall(answer(line))
    except ConnectionError:
        pass  # It has left in a hurry.


def answer(line):
    """The reply to a line."""
    digits = line.strip()
    # Of bytes, it takes ASCII's digits alone.
    is_number = digits.isdigit() and len(digits) <= DIGITS_MAX
    if not is_number or int(digits) > N_MAX:
        return b"error: not-a-number\n"
    return b"%d\n" % fib(int(digits))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
