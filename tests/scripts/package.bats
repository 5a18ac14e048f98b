#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
# run-bats: takes 12 s
#
# make deb and make dist: what is in the package, what lintian says of it, and that a system into which it is installed runs it
# and is as before when it is removed.

load ../cli/helper

here=$BATS_TEST_DIRNAME/../..

# The package is made once, of the program that is tested.
setup_file() {
  [[ $(type -P dpkg-shlibdeps) ]] || skip 'dpkg-dev is not installed'
  cd "$here" || return
  PACKAGE=$here/$(make --no-print-directory deb | tail -n 1)
  export PACKAGE
}

# in_copy COMMAND...: in a copy of this system's files that is thrown away, with its own processes and network.
in_copy() {
  mkdir -p "$BATS_TEST_TMPDIR/copy"
  # shellcheck disable=SC2016 # for the inner shell
  unshare -m -n -p -f --kill-child sh -ec '
    copy=$1 && shift
    mount -t tmpfs tcpstorm "$copy"
    mkdir "$copy/upper" "$copy/work" "$copy/root"
    mount -t overlay tcpstorm -o lowerdir=/,upperdir="$copy/upper",workdir="$copy/work" "$copy/root"
    mount -t proc proc "$copy/root/proc"
    mount --rbind /dev "$copy/root/dev"
    ip link set lo up
    cp "$PACKAGE" "$copy/root/tmp/tcpstorm.deb"
    exec chroot "$copy/root" "$@"' sh "$BATS_TEST_TMPDIR/copy" "$@"
}

@test "the package has the program, its guides, completions and scripts" {
  local path
  run dpkg-deb -c "$PACKAGE"
  for path in bin/tcpstorm share/man/man1/tcpstorm.1.gz share/man/man7/tcpstorm-changes.7.gz share/doc/tcpstorm/copyright \
    share/bash-completion/completions/tcpstorm share/zsh/vendor-completions/_tcpstorm share/fish/vendor_completions.d/tcpstorm.fish \
    lib/systemd/system/tcpstorm-watch.service share/doc/tcpstorm/examples/tcpstorm-alerts.yml share/doc/tcpstorm/examples/tcpstorm-dashboard.json; do
    [[ $output == *" ./usr/$path"* ]] || fail_with "the package has no $path"
  done
  [[ $(dpkg-deb -f "$PACKAGE" Version) == "$("$TCPSTORM" version | sed -n '1s/^tcpstorm \([^ ]*\).*/\1/p')" ]] ||
    fail_with 'the package and the program have different versions'
}

@test "lintian finds nothing" {
  [[ $(type -P lintian) ]] || skip 'lintian is not installed'
  run lintian --pedantic --allow-root "$PACKAGE"
  [[ $status == 0 && -z $output ]] || fail_with 'nothing was expected'
}

@test "the same sources make the same package" {
  local before
  before=$(sha256sum <"$PACKAGE")
  cd "$here" && make --no-print-directory deb
  [[ $(sha256sum <"$PACKAGE") == "$before" ]] || fail_with 'it differs'
}

@test "it installs, runs, and leaves nothing behind" {
  ((EUID == 0)) || skip 'only root may install'
  in_copy true || skip 'there is no overlay file system here'
  run in_copy sh -ec '
    dpkg --no-triggers -i /tmp/tcpstorm.deb >/dev/null # which would read every manual page of the system
    /usr/bin/tcpstorm --conns 20 --order server-first --hold 0s --plain
    man -w tcpstorm-recipes 2>/dev/null || ls /usr/share/man/man7/tcpstorm-recipes.7.gz
    /usr/bin/tcpstorm-plot --help | head -n 1
    /usr/bin/tcpstorm-report --help | head -n 1
    if grep /usr/local /usr/lib/systemd/system/tcpstorm-watch.service; then exit 1; fi
    if command -v systemd-analyze >/dev/null; then
      if systemd-analyze verify --man=no tcpstorm-watch.service 2>&1 | grep tcpstorm; then exit 1; fi
      systemctl --root=/ is-enabled tcpstorm-watch || true
      systemctl --root=/ enable tcpstorm-watch
      dpkg --no-triggers -i /tmp/tcpstorm.deb >/dev/null
      systemctl --root=/ is-enabled tcpstorm-watch
    fi
    dpkg --no-triggers -P tcpstorm >/dev/null
    ! find /usr /etc /var/lib -name "*tcpstorm*" | grep .'
  assert_status 0
  [[ $output == *'20 connections'* && $output == *tcpstorm-recipes.7* ]] || fail_with 'a verdict and a guide were expected'
  [[ $output == *'Usage: tcpstorm-plot '*'Usage: tcpstorm-report '* ]] || fail_with 'the scripts say how they are used'
  # Not enabled by the package; enabled by who wants it, and still so when it is installed again.
  [[ $output == *disabled*enabled* || ! $(type -P systemd-analyze) ]] || fail_with 'the unit should be installed, and disabled'
}

@test "the tarball of make dist is all that a build needs" {
  [[ $(type -P git) && -e $here/.git ]] || skip 'this is no git repository'
  cd "$here" && make --no-print-directory dist
  run tar -xzf build/tcpstorm-*.tar.gz -C "$BATS_TEST_TMPDIR"
  assert_status 0
  run make -n -C "$BATS_TEST_TMPDIR"/tcpstorm-* program
  assert_status 0
}
