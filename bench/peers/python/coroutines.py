"""Version 4: a coroutine per client, on an event loop written by hand."""

import peer
from blocking import answer
from loop import Loop


async def serve(loop, listener, decoder):
    listener.setblocking(False)
    while True:
        client = await loop.accept(listener)
        loop.spawn(converse(loop, client, decoder()))


async def converse(loop, client, decoder):
    try:
        with client:
            while data := await loop.recv(client, peer.READ_BYTES):
                for request in decoder.requests(data):
                    await loop.sendall(client, answer(request))
    except ConnectionError:
        pass  # The client has disconnected.


if __name__ == "__main__":
    loop = Loop()
    loop.spawn(serve(loop, *peer.start("coroutines")))
    loop.run()
