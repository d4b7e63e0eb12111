#!/usr/bin/env bash
# Runs memarchive as on an appliance: in a root that holds the program, the shared objects it names and some archives,
# read-only. There is no /tmp, no locale, no gconv module, no shell and no Swift in it.
#
#   appliance.sh PROGRAM FIXTURES      PROGRAM was built with --static-swift-stdlib
set -euo pipefail
program=$(readlink -f "$1")
fixtures=$(readlink -f "$2")

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,proc,archives}
strip -o "$root/bin/memarchive" "$program"
libraries=$(ldd "$program" | grep -o '/[^ ]*' | sort -u)
if grep -q libswift <<<"$libraries"; then
  echo "$program needs Swift's runtime: build it with --static-swift-stdlib" >&2
  exit 1
fi
# shellcheck disable=SC2086
cp --parents -L $libraries "$root"
cp "$fixtures"/*.{zip,7z,tar,xz,zst,gz,bz2,lz4,rpm,deb} "$root/archives"

on_appliance() {
  bwrap --unshare-all --clearenv --ro-bind "$root" / --proc /proc --die-with-parent -- \
    /bin/memarchive "$@"
}

# compare ARCHIVE: the same digests, messages and status there as here.
compare() {
  local expected found
  expected=$(cd "$root" && "$program" digest "$1" 2>&1; echo "status $?")
  found=$(on_appliance digest "$1" 2>&1; echo "status $?")
  if [ "$expected" != "$found" ]; then
    printf '%s differs on the appliance:\n' "$1" >&2
    diff <(echo "$expected") <(echo "$found") >&2 || true
    exit 1
  fi
}

count=0
for archive in "$root"/archives/*; do
  compare "archives/$(basename "$archive")"
  count=$((count + 1))
done

# A path is good for another program there, which here is the same one.
on_appliance run archives/zip-streamed-stored.zip -- /bin/memarchive list '{inner.zip}' >/dev/null
if [ -e "$root/tmp" ] || [ -e "$root/usr/lib/locale" ]; then
  echo "the root is not as bare as it should be" >&2
  exit 1
fi

echo "$count archives read in a bare root; it holds, in bytes:"
(cd "$root" && find bin lib* -type f -printf '%9s  /%p\n')
