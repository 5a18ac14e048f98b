#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash and servers.bash; every test is a subshell
#
# "tcpstorm audit" of real servers (servers.bash): those that greet, log in and queue: Dovecot, Postfix, vsftpd, OpenSSH,
# PgBouncer, Mosquitto and beanstalkd. Most have a process for each client, and processes of several users. What it says must be
# what the server's manual lets one expect.

load ../net/storm
load servers

version_of_package() {
  dpkg-query -W -f '${Version}' "$1" | sed 's/^[0-9]*://; s/[-+].*//'
}

# ---- mail ----

# serve_dovecot NAME MORE: imap alone. MORE is for its service imap-login.
serve_dovecot() {
  need dovecot dovecot-imapd
  need_root "Dovecot's change of user"
  port=$(free_port)
  cat >"$dir/dovecot.conf" <<END
base_dir = $dir/run
state_dir = $dir/data
log_path = $dir/dovecot.log
protocols = imap
ssl = no
listen = 127.0.0.1
service imap-login {
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = 0
  }
  chroot =
  $2
}
service stats {
  chroot =
}
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$dir/data
}
END
  request capability 'a CAPABILITY\r\n'
  request logout 'a CAPABILITY\r\nb LOGOUT\r\n'
  serve "$1" "$(dovecot --version | cut -d' ' -f1)" dovecot -F -c "$dir/dovecot.conf"
}

# A process that logs in ends an idle client after 3 minutes (CLIENT_LOGIN_IDLE_TIMEOUT_MSECS). Two of them are ready here.
@test "Dovecot closes at the client's FIN and RST, and keeps idle clients" {
  serve_dovecot "dovecot, service_count 0" $'service_count = 0\n  process_min_avail = 2'
  closes_when_left # each process has met the one that knows the passwords
  talks "$dir/capability" "$dir/logout"
}

# As Debian has it a client has a process of its own (service_count = 1). Where EOF comes before that process has met the one
# that knows the passwords ("Waiting for authentication process to respond") the reply is lost: not always.
@test "Dovecot with a process for each client closes at the client's FIN and RST, and keeps idle clients" {
  serve_dovecot dovecot ""
  closes_when_left
  closes_when_left --send "$dir/capability"
  closes_when_half_asked --send "$dir/capability"
  closes second-request -- --send "$dir/capability"
  keeps_idle
  keeps_idle --send "$dir/capability"
  waits_for_client --send "$dir/capability"
  keeps_vanished --send "$dir/capability"
  closes_when_left --send "$dir/logout"
  closes idle never-close -- --send "$dir/logout"
}

serve_postfix() { # NAME MORE
  need postfix postfix
  need_root Postfix
  local etc=$dir/etc
  port=$(free_port)
  mkdir "$etc" "$dir/spool" "$dir/lib"
  chown postfix "$dir/lib"
  cat >"$etc/main.cf" <<END
compatibility_level = 3.6
queue_directory = $dir/spool
data_directory = $dir/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
inet_interfaces = loopback-only
mynetworks = 127.0.0.0/8
maillog_file = $dir/postfix.log
maillog_file_prefixes = $dir
alias_maps =
local_recipient_maps =
mydestination = localhost
myhostname = localhost.localdomain
$2
END
  cat >"$etc/master.cf" <<END
127.0.0.1:$port inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
END
  request hello 'EHLO localhost\r\n'
  request quit 'EHLO localhost\r\nQUIT\r\n'
  postfix -c "$etc" check >"$dir/check.log" 2>&1 3>&- || true # makes the spool
  serve "$1" "$(postconf -c "$etc" -h mail_version)" postfix -c "$etc" start-fg
}

# smtpd_timeout 300 s. Its master listens, and so do its smtpd, which inherit that, and of which each serves one client.
@test "Postfix closes at the client's FIN and RST, and keeps idle clients for smtpd_timeout" {
  serve_postfix postfix ""
  talks "$dir/hello" "$dir/quit"
}

@test "Postfix with smtpd_timeout 1s closes idle clients" {
  serve_postfix "postfix, smtpd_timeout 1s" "smtpd_timeout = 1s"
  closes idle never-close -- --grace 4s
  closes idle never-close -- --grace 4s --send "$dir/hello"
}

# ---- files and shells ----

serve_vsftpd() { # NAME MORE
  need vsftpd vsftpd
  need_root vsftpd
  port=$(free_port)
  mkdir "$dir/empty"
  cat >"$dir/vsftpd.conf" <<END
listen=YES
listen_address=127.0.0.1
listen_port=$port
background=NO
anonymous_enable=YES
local_enable=NO
secure_chroot_dir=$dir/empty
anon_root=$dir/empty
xferlog_enable=NO
$2
END
  request features 'FEAT\r\n'
  request login 'USER anonymous\r\nPASS x\r\n'
  request quit 'QUIT\r\n'
  serve "$1" "$(version_of_package vsftpd)" vsftpd "$dir/vsftpd.conf"
}

# idle_session_timeout 300. Each client has two processes: one of another user that speaks to it, and its parent, which holds
# the connection too.
@test "vsftpd closes at the client's FIN and RST, and keeps idle clients for idle_session_timeout" {
  serve_vsftpd vsftpd ""
  talks "$dir/features" "$dir/quit"
  closes_when_left --send "$dir/login"
  closes eof-with-request -- --send "$dir/login"
  keeps_idle --send "$dir/login"
}

@test "vsftpd with idle_session_timeout 1 closes idle clients" {
  serve_vsftpd "vsftpd, idle_session_timeout 1" "idle_session_timeout=1"
  closes idle never-close -- --grace 4s
  closes idle never-close -- --grace 4s --send "$dir/login"
}

serve_sshd() { # NAME OPTION...
  need sshd openssh-server
  need_root "sshd's change of user"
  port=$(free_port)
  mkdir -p /run/sshd
  ssh-keygen -q -t ed25519 -N '' -f "$dir/key"
  request hello 'SSH-2.0-tcpstorm\r\n'
  request nonsense 'nonsense\r\n'
  serve "$1" "$(version_of_package openssh-server)" "$(command -v sshd)" -D -e -f /dev/null -h "$dir/key" -p "$port" \
    -o ListenAddress=127.0.0.1 -o PidFile=none -o MaxStartups=100 -o UsePAM=no "${@:2}"
}

# LoginGraceTime 120. Each client has two processes, of which one has no rights (privilege separation), and neither listens.
@test "sshd closes at the client's FIN and RST, and keeps idle clients for LoginGraceTime" {
  serve_sshd sshd
  talks "$dir/hello" "$dir/nonsense"
}

@test "sshd with LoginGraceTime 1 closes clients that do not log in" {
  serve_sshd "sshd, LoginGraceTime 1" -o LoginGraceTime=1
  closes idle -- --grace 4s
  closes idle never-close -- --grace 4s --send "$dir/hello"
}

# ---- pools and queues ----

serve_pgbouncer() { # NAME MORE
  need pgbouncer pgbouncer
  port=$(free_port)
  cat >"$dir/pgbouncer.ini" <<END
[databases]
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
logfile = $dir/data/log
pidfile = $dir/data/pid
$2
END
  request tls '\0\0\0\x08\x04\xd2\x16\x2f'
  request no-database '\0\0\0\x21\0\x03\0\0user\0postgres\0database\0no\0\0'
  serve "$1" "$(version_of_package pgbouncer)" "${ordinary[@]}" pgbouncer "$dir/pgbouncer.ini"
}

# client_login_timeout 60.
@test "PgBouncer closes at the client's FIN and RST, and keeps clients that do not log in" {
  serve_pgbouncer pgbouncer ""
  talks "$dir/tls" "$dir/no-database"
}

@test "PgBouncer with client_login_timeout 1 closes clients that do not log in" {
  serve_pgbouncer "pgbouncer, client_login_timeout 1" "client_login_timeout = 1"
  closes idle never-close -- --grace 4s
}

# The keep-alive of the first client is 60 s, that of the second one 1 s, of which the broker allows half as much again
# (MQTT 3.1.1, 3.1.2.10); Mosquitto looks every 5 s. Who says CONNECT and DISCONNECT is closed.
@test "Mosquitto closes at the client's FIN and RST, and keeps clients for their keep-alive" {
  need mosquitto mosquitto
  port=$(free_port)
  printf 'listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n' "$port" >"$dir/mosquitto.conf"
  chmod 644 "$dir/mosquitto.conf"
  request connect '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0'
  request connect-1 '\x10\x0c\0\x04MQTT\x04\x02\0\x01\0\0'
  request disconnect '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0\xe0\0'
  serve mosquitto "$(version_of_package mosquitto)" "${ordinary[@]}" mosquitto -c "$dir/mosquitto.conf"
  talks "$dir/connect" "$dir/disconnect"
  closes idle -- --grace 8s --send "$dir/connect-1"
}

# It has no timeout for clients: its reserve waits for a job for ever.
@test "beanstalkd closes at the client's FIN and RST, and keeps idle clients" {
  need beanstalkd beanstalkd
  port=$(free_port)
  request stats 'stats\r\n'
  request reserve 'reserve\r\n'
  request quit 'quit\r\n'
  serve beanstalkd "$(version_of_package beanstalkd)" "${ordinary[@]}" beanstalkd -l 127.0.0.1 -p "$port"
  talks "$dir/stats" ""
  closes_when_left --send "$dir/reserve"
  keeps_idle --send "$dir/reserve"
  closes_when_left --send "$dir/quit"
  closes idle never-close -- --send "$dir/quit"
}
