#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# The lines that the guide of the audit gives for CI are taken from it and run, with a server that closes and one that leaks.

bats_require_minimum_version 1.5.0

setup() {
  set +T # see tests/README.md: bats would note the whole stack at each command of our functions
  command -v python3 >/dev/null || skip 'python3 is missing'
  guide=$BATS_TEST_DIRNAME/../../src/man/tcpstorm-audit.1.md
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir bin
  ln -s "$TCPSTORM" bin/tcpstorm
  PATH=$PWD/bin:$PATH
  make_server close
}

# make_server close|keep: ./server --port PORT, which answers a request.
make_server() {
  cat >server <<END
#!/usr/bin/env python3
import socket, sys, threading
kept = []
def close(c): c.close()
def keep(c): kept.append(c)
def handle(c):
    c.recv(4096)
    c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    while c.recv(4096): pass
    $1(c)
s = socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=1024)
while True: threading.Thread(target=handle, args=(s.accept()[0],), daemon=True).start()
END
  chmod +x server
}

# block N: the Nth fenced block of the guide's section.
block() {
  awk -v wanted="$1" '
    /^# / { inside = $0 == "# HOW DO I MAKE CI FAIL ON A LEAK?" }
    inside && /^```/ { fenced = !fenced; count += fenced; next }
    inside && fenced && count == wanted' "$guide"
}

# within COMMAND...: where the port is free.
within() {
  run unshare -rn sh -c 'ip link set lo up && exec "$@"' sh "$@"
}

# expect STATUS
expect() {
  [[ $status == "$1" ]] || { printf 'exit status %s where %s was expected\n%s\n' "$status" "$1" "$output"; return 1; }
}

# Of YAML: what follows "run: " or "- " in a list of lines.
command_of() {
  block "$1" | sed -n "s/^ *$2 //p"
}

@test "the step for GitHub Actions passes where the server closes, and fails where it leaks" {
  local line
  line=$(command_of 2 run:)
  [[ $line == tcpstorm* ]]
  within sh -e -c "$line"
  expect 0
  [[ $output == *"holds nothing"* ]]
  make_server keep
  within sh -e -c "$line"
  expect 1
  [[ $output == *"The server leaks."* ]]
}

@test "the job for GitLab writes the report that it names" {
  local line
  line=$(command_of 3 - | grep tcpstorm)
  within sh -e -c "$line"
  expect 0
  block 3 | grep -q 'junit: audit.xml$'
  grep -q '<testsuite' audit.xml
}

@test "the target for a Makefile passes where the server closes, and fails where it leaks" {
  block 4 >Makefile
  within make check-leaks
  expect 0
  make_server keep
  within make check-leaks
  expect 2
}
