#!/usr/bin/python3
"""handover PORT bug|clean COUNT: a process that accepts, and a worker that reads EOF and does not close. The first
passes each connection on to the worker; with "clean" it keeps it. Then COUNT clients come, and leave. It prints
"ready" when all have, and goes on until it is killed."""
import ctypes, os, signal, socket, sys

here, passes, count = ("127.0.0.1", int(sys.argv[1])), sys.argv[2] == "bug", int(sys.argv[3])


def child(name, act):
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        ctypes.CDLL(None).prctl(15, name)
        act()
        os._exit(0)
    return pid


def work():
    kept = []
    while True:
        kept += socket.recv_fds(ours, 1, 1)[1]
        ours.send(b".")


def come_and_leave():
    for _ in range(count):
        s = socket.create_connection(here)
        s.recv(1)  # it was accepted
        s.close()


ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
child(b"worker", work)
ours.close()
ctypes.CDLL(None).prctl(15, b"dispatcher")
listener = socket.create_server(here)
child(b"clients", come_and_leave)
kept = []
for _ in range(count):
    c, _ = listener.accept()
    c.send(b".")
    if not passes:
        kept.append(c)
        continue
    socket.send_fds(theirs, [b"."], [c.fileno()])
    theirs.recv(1)
    c.close()
os.wait()
print("ready", flush=True)
signal.pause()
