"""Version 2: a thread per client, which computes fib under the GIL."""

import threading

import peer
from blocking import converse


def serve(listener, decoder):
    while True:
        client, _ = listener.accept()
        talk = threading.Thread(
            target=converse, args=(client, decoder()), daemon=True
        )
        talk.start()


if __name__ == "__main__":
    serve(*peer.start("threads"))
