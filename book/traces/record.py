#!/usr/bin/env python3
"""Records what one request takes, system call by system call.

Each server is started under strace(1), one client asks twice, and what the
server does for the second request is kept: the first one may have had to warm
something up. Run it in the workspace, after

    cargo build --release --workspace
"""

import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

SERVERS = ["blocking", "threads", "processes", "mio", "coroutines",
           "coroutines-pool", "mio-pool", "tokio", "smol", "async-std"]

# A request that a pool computes, and that takes less than a millisecond.
REQUEST = b"20\n"


def record(name):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "trace")
        server = subprocess.Popen(
            ["strace", "-f", "-o", path, f"target/release/server-{name}",
             "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        try:
            line = server.stdout.readline()
            port = int(re.search(r":(\d+)", line)[1])
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(REQUEST)
                client.recv(100)
                before = settled(path).count("\n")
                client.sendall(REQUEST)
                client.recv(100)
                return settled(path).splitlines()[before:]
        finally:
            # strace's child is the server; strace ends with it.
            subprocess.run(["pkill", "-TERM", "-P", str(server.pid)],
                           check=False)
            server.wait(timeout=20)


def settled(path):
    """A trace, once nothing has been added for a while."""
    text = ""
    while True:
        now = path.read_text()
        if now and now == text:
            return now
        text = now
        time.sleep(0.3)


def readable(lines):
    """A line a call, where it began; threads by letters; how often a yield.

    What the server does beside it, looking whether it is to stop, is left
    out.
    """
    calls, open_calls = [], {}
    for line in lines:
        thread, call = line.split(None, 1)
        if "resumed>" in call:
            rest = call.split("resumed>", 1)[1]
            if thread in open_calls:
                open_calls.pop(thread)[1] += rest
            else:
                name = re.match(r"<\.\.\. (\w+)", call)[1]
                calls.append([thread, f"{name}(\u2026{rest}"])
        else:
            begun = call.removesuffix("<unfinished ...>").rstrip()
            calls.append([thread, begun])
            if begun != call:
                open_calls[thread] = calls[-1]
    idle = {thread for thread, call in calls if "ppoll" in call}
    idle -= {thread for thread, call in calls
             if re.match(r"futex|read\(|write|sendto|epoll|clone", call)}
    letters, texts = {}, []
    for thread, call in calls:
        if thread in idle:
            continue
        letter = letters.setdefault(thread, chr(ord("A") + len(letters)))
        call = re.sub(r"0x[0-9a-f]{6,}", "\u2026", call)
        call = re.sub(r"\s+= ", " = ", call)
        texts.append(f"{letter}  {call}")
    return "\n".join(folded(texts)) + "\n"


def folded(texts):
    """Yields, of which a pool makes dozens before it sleeps, as one line."""
    yields, kept = {}, []
    for text in texts:
        letter = text[0]
        if "sched_yield" not in text:
            yields.pop(letter, None)
            kept.append([text, 1])
        elif letter in yields:
            yields[letter][1] += 1
        else:
            kept.append([f"{letter}  sched_yield() = 0", 1])
            yields[letter] = kept[-1]
    return [text if count == 1 else f"{text}  ({count} times)"
            for text, count in kept]


if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent
    for name in sys.argv[1:] or SERVERS:
        text = readable(record(name))
        (folder / f"{name}.txt").write_text(text)
        print(name, len(text.splitlines()), "lines")
