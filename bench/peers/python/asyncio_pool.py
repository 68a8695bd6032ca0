"""What one would write today: asyncio, with fib in a pool of processes."""

import asyncio
from concurrent.futures import BrokenExecutor

import peer
import workers


async def serve(pool, listener, decoder):
    async def client(reader, writer):
        await converse(reader, writer, decoder(), pool)

    # start_server calls listen() again, by default with a backlog of 100. If
    # that is full, a client tries again after one second, then two, then four.
    # By default, asyncio also reads up to twice 64 KiB ahead for each client.
    server = await asyncio.start_server(
        client, sock=listener, backlog=peer.BACKLOG, limit=peer.READ_BYTES
    )
    await server.serve_forever()


async def converse(reader, writer, decoder, pool):
    try:
        while data := await reader.read(peer.READ_BYTES):
            for request in decoder.requests(data):
                writer.write(await answer(request, pool))
                await writer.drain()
    except ConnectionError:
        pass  # The client has disconnected.
    finally:
        writer.close()


async def answer(request, pool):
    if isinstance(request, bytes):
        return request
    loop = asyncio.get_running_loop()
    try:
        return peer.reply(await loop.run_in_executor(pool, peer.fib, request))
    except BrokenExecutor:
        return peer.WORKER_LOST


if __name__ == "__main__":
    asyncio.run(serve(workers.pool(), *peer.start("asyncio-pool")))
