"""An event loop: runs coroutines that wait for sockets or futures."""

import collections
import selectors
import socket
import types


class Loop:
    """Runs coroutines on one thread.

    A coroutine that has to wait yields a function. The loop calls it with the
    coroutine, and the function registers the coroutine to be resumed later.
    """

    def __init__(self):
        self.ready = collections.deque()
        self.selector = selectors.DefaultSelector()
        # Other threads append a coroutine here and then write a byte to
        # `wake_sender`, so that a finished job looks like a readable socket.
        self.woken = collections.deque()
        self.wake_receiver, self.wake_sender = socket.socketpair()
        self.wake_receiver.setblocking(False)
        self.wake_sender.setblocking(False)

    def spawn(self, coroutine):
        self.ready.append(coroutine)

    def run(self):
        self.spawn(self.receive_wakes())
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
        """Waits until `sock` is ready for `event`, one of selectors.EVENT_*."""
        return suspend(
            lambda coroutine: self.selector.register(sock, event, coroutine)
        )

    async def accept(self, listener):
        while True:
            await self.until(listener, selectors.EVENT_READ)
            try:
                client, _ = listener.accept()
            except (BlockingIOError, ConnectionError):
                continue  # The client has already left.
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
        """Waits until a future is done, in whatever thread it is completed."""

        def wait(coroutine):
            def wake(_):
                self.woken.append(coroutine)
                try:
                    self.wake_sender.send(b"x")
                except BlockingIOError:
                    pass  # The loop will wake: unread bytes are waiting.

            future.add_done_callback(wake)

        return suspend(wait)

    async def receive_wakes(self):
        while True:
            await self.recv(self.wake_receiver, 4096)
            while self.woken:
                self.ready.append(self.woken.popleft())


@types.coroutine
def suspend(wait):
    """Suspends the awaiting coroutine; the loop passes it to `wait`."""
    yield wait
