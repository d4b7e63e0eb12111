# Read by each scenario: a temporary directory that becomes the current one, and the end of whatever was started.
#
# A scenario is run by sh(1), with MA= for the program, and prints one line: what a consumer says that found its files.
set -eu
MA=${MA:-memarchive}
here=$(cd "$(dirname "$0")" && pwd)
more=${MEMARCHIVE_MORE:-$here/../../../.build/more}
started=
directory=$(mktemp -d)
finish() {
  for process in $started; do kill "$process" 2>/dev/null || true; done
  wait
  rm -rf "$directory"
}
trap finish EXIT
trap 'exit 1' INT TERM
cd "$directory"
chmod 755 .

# Waits at most ten seconds until a command succeeds.
until_true() {
  tries=100
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "gave up: $*" >&2; return 1; }
    sleep 0.1
  done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# The wheel of a package.
wheel() { ls "$more/wheels/$1"-*.whl; }

# Starts clamd with one signature, for the words "what is looked for", and clamd.conf; it listens at `socket`.
start_clamd() {
  mkdir base
  echo "Found.It:0:*:$(printf 'what is looked for' | od -An -tx1 | tr -d ' \n')" >base/test.ndb
  cat >clamd.conf <<END
DatabaseDirectory $directory/base
LocalSocket $directory/socket
TemporaryDirectory $directory
Foreground yes
END
  /usr/sbin/clamd -c clamd.conf >log 2>&1 &
  started=$!
  until_true test -S socket || { cat log >&2; exit 1; }
}
