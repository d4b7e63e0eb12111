#!/usr/bin/env bash
# demo.sh MEMARCHIVE DEMO [ARCHIVE]: real consumers read an archive's entries by path, and nothing touches a disk.
#
# MEMARCHIVE and DEMO are the two built programs. Everything runs twice: once under strace, which sees each file that
# is opened, and once where every file system is read-only. Exits 0 only when all of it held.
#
# No here-document anywhere: bash may put one into a temporary file, and strace would tell.
set -euo pipefail

self=$(realpath "$0")
here=$(dirname "$self")

fail() {
  printf '\nFAILED: %s\n' "$*"
  exit 1
}

step() { printf '\n%s. %s\n' "$1" "$2"; }

indent() { sed 's/^/   /'; }

# The command as it is typed, with the long paths of this machine left out.
shown() { printf '   $ memarchive run demo.zip -- %s\n' "$*"; }

consumers() {
  step 1 'In one process: libfluidsynth, FreeType, dlopen'
  "$demo" "$archive" || fail 'the Demo program'

  step 2 'The program fluidsynth renders a tune into a pipe'
  local render=(fluidsynth -q -ni -r 44100 -T raw -O s16 -F /dev/stdout '{music/tiny.sf2}' '{music/tune.mid}')
  shown "${render[*]} | python3 loudness.py"
  "$memarchive" run "$archive" -- "${render[@]}" | python3 "$here/loudness.py" | indent || fail 'fluidsynth'

  step 3 'fc-scan reads a font'
  shown 'fc-scan {fonts/memarchive-pixel.ttf}'
  # A cache that is out of date, as after an installation, would be written anew; that is not the reading of a font.
  FONTCONFIG_FILE=$here/fonts.conf "$memarchive" run "$archive" -- fc-scan '{fonts/memarchive-pixel.ttf}' \
    | grep -E '^\s+(family|style|fontformat|file):' | tr -d '\t' | indent || fail 'fc-scan'

  step 4 'openssl reads a certificate'
  shown 'openssl x509 -noout -subject -dates -in {tls/cert.pem}'
  "$memarchive" run "$archive" -- openssl x509 -noout -subject -dates -in '{tls/cert.pem}' | indent || fail 'openssl'

  step 5 'python3 runs a script, which reads itself'
  shown 'python3 {scripts/hello.py} reader'
  local said digest
  said=$("$memarchive" run "$archive" -- python3 '{scripts/hello.py}' reader) || fail 'python3'
  printf '%s\n' "$said" | indent
  digest=$("$memarchive" digest "$archive" scripts/hello.py) || fail 'memarchive digest'
  [[ $said == *"sha256 ${digest%% *}"* ]] || fail "the script read other bytes than memarchive digest: $digest"
  printf '   memarchive digest agrees\n'

  step 6 'A signature is verified first, and python3 gets what was verified'
  printf '   $ memarchive run --verify release.pub demo.zip -- python3 {scripts/hello.py} reader\n'
  local verified=("$memarchive" run --signature "$signed/demo.zip.minisig")
  "${verified[@]}" --verify "$signed/release.pub" "$archive" -- python3 '{scripts/hello.py}' reader 2>&1 | indent \
    || fail 'memarchive --verify'
  if said=$("${verified[@]}" --verify "$signed/other.pub" "$archive" -- python3 '{scripts/hello.py}' reader 2>&1); then
    fail "a signature by another key was believed: $said"
  fi
  printf '   and with another key: %s\n' "${said##*: }"

  step 7 'The archive as another format, which tar reads while it is written'
  printf '   $ memarchive convert --to tar.gz demo.zip - | tar -xzO scripts/hello.py | sha256sum\n'
  said=$("$memarchive" convert --to tar.gz "$archive" - | tar -xzO scripts/hello.py | sha256sum) || fail 'memarchive convert'
  printf '%s\n' "$said" | indent
  [[ ${said%% *} == "${digest%% *}" ]] || fail "tar read other bytes than memarchive digest: $digest"
}

# Shows that no mounted file system takes a new file, wherever one could be made.
refusals() {
  local point tried=0
  for point in . /tmp "${HOME:-/}"; do
    [[ ! -d $point ]] || touch_fails "$point" || return 1
  done
  while read -r _ _ _ _ point _; do
    point=$(printf '%b' "$point")   # mountinfo writes a space as \040
    [[ -d $point ]] || continue
    touch_fails "$point" quietly || return 1
    tried=$((tried + 1))
  done </proc/self/mountinfo
  printf '   and so do all %d mounted directories\n' "$tried"
}

touch_fails() {
  local file=${1%/}/memarchive-demo.$$ message
  if message=$(LC_ALL=C touch "$file" 2>&1); then
    rm -f "$file"
    printf '   %s could be written\n' "$1"
    return 1
  fi
  [[ -n ${2-} ]] || printf '   touch in %s fails: %s\n' "$1" "${message##*: }"
}

judged() {
  local report verdict=0
  report=$(python3 "$here/trace.py") || verdict=$?
  step 8 'strace watched steps 1 to 7'
  printf '%s\n' "$report" | indent
  return "$verdict"
}

# What strace looks at: every call that makes, opens, renames, cuts or removes a file, and io_uring, which could hide one.
calls='?open,openat,?openat2,?creat,?open_by_handle_at,memfd_create,?rename,?renameat,?renameat2,?link,linkat,?symlink'
calls+=',symlinkat,?mkdir,mkdirat,?mknod,mknodat,?unlink,unlinkat,?rmdir,truncate,ftruncate,fallocate,bind,mount'
calls+=',?io_uring_setup'

case ${1-} in
  --consumers)
    exec 3>&-
    memarchive=$2 demo=$3 archive=$4
    consumers
    exit
    ;;
  --read-only)
    refusals || fail 'the sandbox can be written to'
    shift
    "$BASH" "$self" --consumers "$@"
    exit
    ;;
esac

[[ $# -eq 2 || $# -eq 3 ]] || { sed -n '2s/^# //p' "$self" >&2; exit 2; }
memarchive=$(realpath "$1") demo=$(realpath "$2")
archive=$(realpath "${3-$here/../Fixtures/demo/demo.zip}")
for tool in fluidsynth fc-scan minisign openssl python3 strace bwrap; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done
# fluidsynth starts SDL even when it renders to a file, and SDL a sound server's client, which leaves files behind.
export SDL_AUDIODRIVER=dummy
# Run by root, Python would refresh stale caches of its own library.
export PYTHONDONTWRITEBYTECODE=1

# As where an archive is made: for everything below it is there already.
signed=$(mktemp -d)
trap 'rm -rf "$signed"' EXIT
export signed
for key in release other; do minisign -G -W -p "$signed/$key.pub" -s "$signed/$key.key" >/dev/null; done
minisign -S -s "$signed/release.key" -t 'the demo' -m "$archive" -x "$signed/demo.zip.minisig" >/dev/null

# The trace goes through descriptor 3 into the checker, the consumers' output through 4 to the reader.
exec 4>&1
strace -f --seccomp-bpf -y -s 4096 -e trace="$calls" -e signal=none -o /proc/self/fd/3 \
  "$BASH" "$self" --consumers "$memarchive" "$demo" "$archive" 3>&1 >&4 4>&- \
  | judged || fail 'a consumer, or the trace of it, is not as it should be'
exec 4>&-

step 9 'The same where every file system is read-only (bubblewrap)'
output=$(bwrap --die-with-parent --ro-bind / / --dev /dev --remount-ro /dev --proc /proc \
  "$BASH" "$self" --read-only "$memarchive" "$demo" "$archive" 2>&1) \
  || { printf '%s\n' "$output" | indent; fail 'inside the read-only sandbox'; }
printf '%s\n' "$output" | grep -E '^   (touch|and so) '
printf '   steps 1 to 7 passed in there too\n'

printf '\nDEMO PASSED: every consumer read its entry by path; nothing was created or opened for writing on any disk.\n'
