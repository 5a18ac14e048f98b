# threads_server.py PORT: a thread for each connection; with a second word every fifth one is kept.
import socket, sys, threading
def serve(c, n):
    while True:
        data = c.recv(4096) # LINE recv
        if not data:
            break
        c.sendall(data)
    if leaks and n % 5 == 0:
        kept.append(c)
        return
    c.close() # LINE close
kept, leaks = [], len(sys.argv) > 2
s = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
n = 0
while True:
    c = s.accept()[0] # LINE accept
    n += 1
    threading.Thread(target=serve, args=(c, n), daemon=True).start()
