"""A server with a thread per client, which computes in that thread.

Its replies are right, but some of them are late. What is wrong with it? `cargo
run -p check -- python` reports what happens. The chapter explains why.
"""

import socket
import sys
import threading

# The largest n that the server computes.
N_MAX = 93

# Lines with more digits are rejected unparsed: int() fails above 4,300.
DIGITS_MAX = 60


def fib(n):
    """Returns the n-th Fibonacci number, by costly naive recursion."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def serve(port):
    """Accepts clients, and starts a thread for each."""
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
        pass  # The client has reset the connection.


def answer(line):
    """Returns the reply to a line."""
    digits = line.strip()
    # For bytes, isdigit() accepts ASCII digits only.
    is_number = digits.isdigit() and len(digits) <= DIGITS_MAX
    if not is_number or int(digits) > N_MAX:
        return b"error: not-a-number\n"
    return b"%d\n" % fib(int(digits))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
