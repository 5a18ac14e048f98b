#!/usr/bin/python3
"""holders KIND bug|clean PORT: a program that holds connections, and in a child of it their other ends.

Which of both is the parent, and so is watched, is the kind's second word. It prints "ready" and goes on until it
is killed."""
import ctypes, os, select, signal, socket, struct, sys, time

kind, clean, here = sys.argv[1], sys.argv[2] == "clean", ("127.0.0.1", int(sys.argv[3]))
kept, began = [], time.monotonic()


def listen(backlog=512):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.bind(here)
    s.listen(backlog)
    return s


def serve(reads, closes, rest=0):
    """Accepts all, and at EOF or an error closes, or keeps."""
    clients = {}
    while True:
        for fd in select.select([listener, *clients.values()] if reads else [listener], [], [])[0]:
            if fd is listener:
                c, _ = listener.accept()
                time.sleep(rest)
                clients[c.fileno()] = c
                continue
            try:
                data = fd.recv(65536)
            except OSError:
                data = b""
            if data == b"":
                del clients[fd.fileno()]
                fd.close() if closes else kept.append(fd)


def connect():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    s.connect(here)
    return s


def every(pause, act, stays=None, most=1 << 30):
    """act() returns a connection, which is closed when it has stayed so long; without that it is kept."""
    while True:
        now = time.monotonic()
        if most > 0:
            kept.append((now, act()))
            most -= 1
        while stays is not None and kept and kept[0][0] <= now - stays:
            kept.pop(0)[1].close()
        time.sleep(pause(now - began) if callable(pause) else pause)


def reset():
    s = connect()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    return s


def half_close():
    s = connect()
    s.shutdown(socket.SHUT_WR)
    if clean:
        s.recv(1)
        s.close()
    return s


def say(size):
    s = connect()
    s.settimeout(0.02)
    try:
        s.sendall(b"x" * size)
    except OSError:
        pass
    return s


def knock():
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(here)
    return s


def fill_queue():
    for _ in range(4):
        kept.append(knock())
    signal.pause()


# What is watched, then the other side.
kinds = {
    "close_wait": (lambda: serve(True, clean), lambda: every(0.1, connect, 0)),
    "ghosts": (lambda: serve(True, clean), lambda: every(0.1, reset, 0)),
    "fin_wait2": (lambda: every(0.1, half_close), lambda: serve(True, clean)),
    "idle": (lambda: serve(True, True), lambda: every(0.1, lambda: say(10))),
    "pool": (lambda: serve(True, True), lambda: every(0.1, lambda: say(10), None, 30)),
    "load": (lambda: serve(True, True), lambda: every(lambda t: 1 / (5 + 3 * t), lambda: say(10), 4)),
    "syn_sent": (lambda: every(0.1, knock, 0.5 if clean else None), fill_queue),
    "accept_queue": (
        lambda: serve(True, True, 0.05) if clean else signal.pause(),
        lambda: every(0.1, knock, 0.3 if clean else None, 1 << 30 if clean else 20),
    ),
    "unread": (lambda: serve(clean, True), lambda: every(0.1, lambda: say(100), 0.5 if clean else None)),
    "unsent": (
        lambda: every(0.1, lambda: say(9999 if clean else 1 << 20), 0.5 if clean else None),
        lambda: serve(clean, True),
    ),
}
listener = listen({"syn_sent": 1, "accept_queue": 8}.get(kind, 512))
mine, other = kinds[kind]
serves = kind not in ("fin_wait2", "syn_sent", "unsent")
if os.fork() == 0:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if serves:
        listener.close()
    other()
if not serves:
    listener.close()
print("ready", flush=True)
mine()
