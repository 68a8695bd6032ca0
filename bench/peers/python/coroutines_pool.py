"""Version 6: as version 5, but a job that is done wakes its coroutine."""

import peer
import workers
from loop import Loop


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
                    line = await answer(loop, request, pool)
                    await loop.sendall(client, line)
    except ConnectionError:
        pass  # The client has disconnected.


async def answer(loop, request, pool):
    if isinstance(request, bytes):
        return request
    future = pool.submit(peer.fib, request)
    await loop.done(future)
    return workers.result(future)


if __name__ == "__main__":
    pools = {"processes": workers.pool, "threads": workers.threads}
    flags = peer.flags("coroutines-pool", pools)
    pool = pools[flags.pool]()
    loop = Loop()
    loop.spawn(serve(loop, pool, *peer.listen(flags)))
    loop.run()
