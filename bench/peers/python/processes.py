"""Version 3: a thread per client, with fib in a pool of processes."""

import threading

import peer
import workers


def serve(pool, listener, decoder):
    while True:
        client, _ = listener.accept()
        talk = threading.Thread(
            target=converse, args=(client, decoder(), pool), daemon=True
        )
        talk.start()


def converse(client, decoder, pool):
    try:
        with client:
            while data := client.recv(peer.READ_BYTES):
                for request in decoder.requests(data):
                    client.sendall(answer(request, pool))
    except ConnectionError:
        pass  # The client has disconnected.


def answer(request, pool):
    if isinstance(request, bytes):
        return request
    return workers.result(pool.submit(peer.fib, request))


if __name__ == "__main__":
    serve(workers.pool(), *peer.start("processes"))
