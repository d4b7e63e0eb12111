#!/bin/sh
# Makes the inputs that are missing, builds, compares, writes results.json and results.md.
#
#     Benchmarks/run.sh [--rounds N]
set -eu

cd "$(dirname "$0")"
python3 inputs.py
:

for archive in ../Fixtures/tar-300-entries.tar.gz ../Fixtures/demo/demo.zip \
  cache/mixed.tar cache/mixed.tar.gz cache/mixed.zip cache/large.tar cache/large.zip \
  cache/size-4k.tar cache/size-16k.tar cache/size-64k.tar cache/size-256k.tar cache/size-512k.tar \
  cache/size-1m.tar cache/size-3500k.tar cache/size-4m.tar cache/size-16m.tar; do
  set -- "$@" --input "$archive"
done

# An ext4 without a journal would make the rivals look far worse than they are; where we may, we give them a good one.
wrapper=
source=$(findmnt --noheadings --output SOURCE --target /tmp || true)
options=/proc/fs/ext4/${source##*/}/options
if [ -n "$source" ] && [ -e "$options" ] && ! grep -q '^data=' "$options"; then
  if ./journaled.sh true 2>/dev/null; then
    wrapper=./journaled.sh
  else
    echo "/tmp is an ext4 without a journal; as root, this would use one that has it." >&2
  fi
fi

# Both or neither, also when two run at once or this one is stopped.
part=cache/results.$$
trap 'rm -f "$part.json" "$part.md"' EXIT
$wrapper .build/release/compare --json "$part.json" "$@" > "$part.md"
mv "$part.json" results.json
mv "$part.md" results.md
cat results.md
