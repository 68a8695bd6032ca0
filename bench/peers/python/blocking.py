"""Version 1: one client at a time."""

import peer


def serve(listener, decoder):
    while True:
        client, _ = listener.accept()
        converse(client, decoder())


def converse(client, decoder):
    try:
        with client:
            while data := client.recv(peer.READ_BYTES):
                for request in decoder.requests(data):
                    client.sendall(answer(request))
    except ConnectionError:
        pass  # The client has disconnected.


def answer(request):
    if isinstance(request, bytes):
        return request
    return peer.reply(peer.fib(request))


if __name__ == "__main__":
    serve(*peer.start("blocking"))
