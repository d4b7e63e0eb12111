#!/bin/sh
# Runs a command with an ext4 that has a journal on /tmp, in a mount namespace of its own: nothing outside sees it.
#
#     sudo Benchmarks/journaled.sh COMMAND...
#
# For machines whose /tmp is an ext4 without a journal (some virtual machines), where temporary files take many times
# what they take elsewhere. The image stays in cache/.
set -eu

cache=$(cd "$(dirname "$0")" && pwd)/cache
image=$cache/journaled.img
mkdir -p "$cache"

# One at a time: an ext4 that is mounted twice is soon none.
if [ -z "${JOURNALED_LOCKED-}" ]; then
  JOURNALED_LOCKED=1 exec flock "$cache" "$0" "$@"
fi

if [ ! -e "$image" ]; then
  # Sparse. Its tables are written now, so that the kernel doesn't do it while times are taken.
  truncate -s 8G "$image.part"
  mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$image.part"
  mv "$image.part" "$image"
fi

exec unshare --mount sh -c '
  mount -o loop "$1" /tmp
  chmod 1777 /tmp
  shift
  exec "$@"
' sh "$image" "$@"
