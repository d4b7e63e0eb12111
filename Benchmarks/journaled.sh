#!/bin/sh
# Runs a command with an ext4 that has a journal on /tmp, in a mount namespace of its own: nothing outside sees it.
#
#     sudo Benchmarks/journaled.sh COMMAND...
#
# For machines whose /tmp is an ext4 without a journal (small virtual machines, mostly), where temporary files take
# many times what they take elsewhere. The image stays in cache/.
set -eu

image=$(cd "$(dirname "$0")" && pwd)/cache/journaled.img

if [ ! -e "$image" ]; then
  mkdir -p "${image%/*}"
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
