#!/usr/bin/python3
"""preloaded: runs scripts/plot and scripts/report without loading matplotlib each time, which takes longer than all that they do.

preloaded.py serve SOCKET              loads all of it, and forks a child for each that asks
preloaded.py run SOCKET NAME WORD...   lets a child run scripts/NAME with these words, here: folder, environment, descriptors; exits as it did

A child runs the same main() as the script; that the scripts themselves start is for tests that call them."""

import os
import sys

SCRIPTS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "scripts")


def serve(path: str) -> None:
    import json
    import socket
    sys.path.insert(0, os.path.join(SCRIPTS, "lib"))
    import command
    import matplotlib.backends.backend_agg  # noqa: F401 # each loaded here is none that a child has to
    import matplotlib.backends.backend_svg  # noqa: F401
    import plot.draw  # noqa: F401
    import report.inputs  # noqa: F401
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}.new")
    listener.listen(64)
    os.rename(f"{path}.new", path)  # it is there when it can be asked
    while True:
        asking = listener.accept()[0]
        request, descriptors, _, _ = socket.recv_fds(asking, 1 << 18, 3)
        child = os.fork()
        if child == 0:
            for i, descriptor in enumerate(descriptors):
                os.dup2(descriptor, i)
            words, folder, environment = json.loads(request)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = [os.path.join(SCRIPTS, words[0]), *words[1:]]
            code = 1
            try:
                command.run(f"{words[0]}.main")
            except SystemExit as end:
                code = end.code
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        for descriptor in descriptors:
            os.close(descriptor)
        asking.send(bytes([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255]))
        asking.close()


def run(path: str, words: list[str]) -> int:
    import json
    import socket
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    asking.connect(path)
    socket.send_fds(asking, [json.dumps([words, os.getcwd(), dict(os.environ)]).encode()], [0, 1, 2])
    return (asking.recv(1) or b"\1")[0]


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    sys.exit(run(sys.argv[2], sys.argv[3:]))
