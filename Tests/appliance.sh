#!/usr/bin/env bash
# Runs memarchive as on an appliance: in a root that holds the program, the shared objects it names and some archives,
# read-only. There is no /tmp, no locale, no gconv module, no shell and no Swift in it.
#
#   appliance.sh BUILD FIXTURES        BUILD has the program and its worker, built by Scripts/static
set -euo pipefail
build=$(readlink -f "$1")
program=$build/memarchive
fixtures=$(readlink -f "$2")

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
Scripts/image-root "$build" "$root"
mkdir "$root/archives"
cp "$fixtures"/{*.{zip,7z,tar,xz,zst,gz,bz2,lz4,rpm,deb},odd/iso/joliet.iso.gz,odd/rar/rar5-links.rar,odd/squashfs/program.AppImage} "$root/archives"

on_appliance() {
  bwrap --unshare-all --clearenv --ro-bind "$root" / "${extra[@]}" --proc /proc --die-with-parent -- \
    /bin/memarchive "$@"
}

# compare ARCHIVE: the same digests, messages and status there as here.
compare() {
  local expected found
  expected=$(cd "$root" && "$program" digest --formats all "$1" 2>&1; echo "status $?")
  found=$(on_appliance digest --formats all "$1" 2>&1; echo "status $?")
  if [ "$expected" != "$found" ]; then
    printf '%s differs on the appliance:\n' "$1" >&2
    diff <(echo "$expected") <(echo "$found") >&2 || true
    exit 1
  fi
}

count=0
extra=()
for archive in "$root"/archives/*; do
  name=archives/$(basename "$archive")
  # libarchive converts names in UTF-16 that are not ASCII by a locale, which is a file.
  if [ "$name" = archives/joliet.iso.gz ]; then
    if message=$(on_appliance digest --formats all "$name" 2>&1) || ! grep -q 'Install the locale C.UTF-8' <<<"$message"; then
      echo "$name: no word of the missing locale: $message" >&2
      exit 1
    fi
    mkdir -p "$root/usr/lib/locale/C.utf8"
    extra=(--ro-bind /usr/lib/locale/C.utf8 /usr/lib/locale/C.utf8)
    compare "$name"
    extra=()
    rm -r "$root/usr/lib/locale"
  else
    compare "$name"
  fi
  count=$((count + 1))
done

# Where there is no libarchive, what has no signature is no archive, and what has one needs it. That a worker may not open it is not why.
echo 'no archive' >"$root/archives/note.txt"
libarchive=$(find "$root" -name libarchive.so.13)
mv "$libarchive" "$libarchive.away"
for sandbox in required off; do
  for expected in 'note.txt: this is not an archive that MemArchive reads without libarchive.' 'rar5-links.rar:.*cannot be loaded: [^(]*No such file'; do
    if message=$(on_appliance test --sandbox "$sandbox" --formats all "archives/${expected%%:*}" 2>&1) || ! grep -q "$expected" <<<"$message"; then
      echo "$expected, without libarchive, sandbox $sandbox: $message" >&2
      exit 1
    fi
  done
done
mv "$libarchive.away" "$libarchive"

# A path is good for another program there, which here is the same one.
on_appliance run archives/zip-streamed-stored.zip -- /bin/memarchive list '{inner.zip}' >/dev/null
if [ -e "$root/tmp" ] || [ -e "$root/usr/lib/locale" ]; then
  echo "the root is not as bare as it should be" >&2
  exit 1
fi

echo "$count archives read in a bare root; it holds, in bytes:"
(cd "$root" && find bin lib* -type f -printf '%9s  /%p\n')
