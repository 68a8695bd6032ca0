#!/usr/bin/env python3
"""Records the system calls of one request to each server, and those of a stop.

Starts each server under strace(1), sends two requests from one client, and
keeps the system calls of the second: the first may include calls that warm
something up. Also records how one server stops while a client is idle. Run it
in the root of the workspace, after

    cargo build --release --workspace

The order of the threads may differ from recording to recording. So read what
the chapters say about a new trace, and change it where it isn't true any more.
"""

import contextlib
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

SERVERS = ["blocking", "threads", "processes", "mio", "coroutines",
           "coroutines-pool", "mio-pool", "tokio", "smol", "async-std"]

# A request that a pool computes, in less than a millisecond.
REQUEST = b"20\n"

# The server whose stop is recorded, the system calls to keep, and those to
# drop.
STOPPED = "threads"
STOPS = r"SIGTERM|accept4|ppoll|recvfrom|sendto|shutdown|close|exit_group"
IRRELEVANT = r"EAGAIN|exit_group resumed"


def record(name):
    """Returns the trace of one request."""
    with traced(name) as (path, client, _):
        client.sendall(REQUEST)
        client.recv(100)
        before = settled(path).count("\n")
        client.sendall(REQUEST)
        client.recv(100)
        return settled(path).splitlines()[before:]


def record_stop(name):
    """Returns the trace of a stop, without locks, logs and thread exits."""
    with traced(name) as (path, client, server):
        before = settled(path).count("\n")
        subprocess.run(["pkill", "-TERM", "-P", str(server.pid)], check=True)
        client.recv(100)
        server.wait(timeout=20)
        text = "\n".join(settled(path).splitlines()[before:])
        text = text.replace("SIGTERM {si_signo=SIGTERM", "SIGTERM {…")
        text = re.sub(r"….*} ---", "…} ---", text)
        return [line for line in text.splitlines()
                if re.search(STOPS, line) and not re.search(IRRELEVANT, line)]


@contextlib.contextmanager
def traced(name):
    """Provides a server under strace, its trace file, and a client of it."""
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
                yield path, client, server
        finally:
            # The server is strace's child, and strace exits when it does.
            subprocess.run(["pkill", "-TERM", "-P", str(server.pid)],
                           check=False)
            server.wait(timeout=20)


def settled(path):
    """Returns the trace, once it has not grown for 0.3 seconds."""
    text = ""
    while True:
        now = path.read_text()
        if now and now == text:
            return now
        text = now
        time.sleep(0.3)


def readable(lines, is_all=False):
    """Formats a trace: one line per call, in the order in which calls began.

    Threads are named by letters. Threads that only wait for a stop are left
    out, unless `is_all` is set.
    """
    calls, open_calls = [], {}
    for line in lines:
        thread, call = line.split(None, 1)
        if "resumed>" in call:
            rest = call.split("resumed>", 1)[1]
            if thread in open_calls:
                begun = open_calls.pop(thread)
                begun[1] += " " * begun[1].endswith(",") + rest
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
        if thread in idle and not is_all:
            continue
        letter = letters.setdefault(thread, chr(ord("A") + len(letters)))
        call = re.sub(r"\u2026?0x[0-9a-f]{6,}", "\u2026", call)
        call = re.sub(r"\s+= ", " = ", call)
        texts.append(f"{letter}  {call}")
    return "\n".join(folded(texts)) + "\n"


def folded(texts):
    """Merges the dozens of yields before a pool sleeps into one line each."""
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
    text = readable(record_stop(STOPPED), is_all=True)
    (folder / "stop.txt").write_text(text)
