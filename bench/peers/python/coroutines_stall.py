"""Version 5: as version 4, with a pool that blocks the loop: a mistake."""

import peer
import workers
from loop import Loop
from processes import answer


async def serve(loop, pool, listener, decoder):
    listener.setblocking(False)
    while True:
        client = await loop.accept(listener)
        loop.spawn(converse(loop, client, decoder(), pool))


async def converse(loop, client, decoder, pool):
    try:
        with client:
            while data := await loop.recv(client, peer.READ_BYTES):
                for request in decoder.requests(data):
                    await loop.sendall(client, answer(request, pool))
    except ConnectionError:
        pass  # The client has disconnected.


if __name__ == "__main__":
    pool = workers.pool()
    loop = Loop()
    loop.spawn(serve(loop, pool, *peer.start("coroutines-stall")))
    loop.run()
