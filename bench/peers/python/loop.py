"""An event loop: coroutines, and a selector that knows what they wait for."""

import collections
import selectors
import socket
import types


class Loop:
    """Runs coroutines on one thread.

    A coroutine that has to wait yields a function, which takes the coroutine
    and puts it where it will be found when it is time to go on.
    """

    def __init__(self):
        self.ready = collections.deque()
        self.selector = selectors.DefaultSelector()
        # Filled by other threads, which then write a byte, so that a finished
        # job looks like a readable socket.
        self.woken = collections.deque()
        self.bell, self.button = socket.socketpair()
        self.bell.setblocking(False)
        self.button.setblocking(False)

    def spawn(self, coroutine):
        self.ready.append(coroutine)

    def run(self):
        self.spawn(self.listen_to_bell())
        while True:
            for _ in range(len(self.ready)):
                self.step(self.ready.popleft())
            timeout = 0 if self.ready else None
            for key, _ in self.selector.select(timeout):
                self.selector.unregister(key.fileobj)
                self.ready.append(key.data)

    def step(self, coroutine):
        try:
            wait = coroutine.send(None)
        except StopIteration:
            return
        wait(coroutine)

    def until(self, sock, event):
        """Waits until a socket is ready for the selector's event."""
        return suspend(
            lambda coroutine: self.selector.register(sock, event, coroutine)
        )

    async def accept(self, listener):
        while True:
            await self.until(listener, selectors.EVENT_READ)
            try:
                client, _ = listener.accept()
            except (BlockingIOError, ConnectionError):
                continue  # It has gone again.
            client.setblocking(False)
            return client

    async def recv(self, sock, size):
        await self.until(sock, selectors.EVENT_READ)
        return sock.recv(size)

    async def sendall(self, sock, data):
        while data:
            try:
                data = data[sock.send(data):]
            except BlockingIOError:
                await self.until(sock, selectors.EVENT_WRITE)

    def done(self, future):
        """Waits until a future is done, in whichever thread that is."""

        def wait(coroutine):
            def wake(_):
                self.woken.append(coroutine)
                try:
                    self.button.send(b"x")
                except BlockingIOError:
                    pass  # Enough bytes to wake it lie there.

            future.add_done_callback(wake)

        return suspend(wait)

    async def listen_to_bell(self):
        while True:
            await self.recv(self.bell, 4096)
            while self.woken:
                self.ready.append(self.woken.popleft())


@types.coroutine
def suspend(wait):
    """Leaves the coroutine that awaits it to the function `wait`."""
    yield wait
