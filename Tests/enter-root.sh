#!/usr/bin/env bash
# Runs a command in another root, into which a mount namespace of its own is pivoted: in a chroot, Linux refuses user
# namespaces. For root.
#
#   enter-root.sh ROOT [FROM=TO]... -- COMMAND [ARGUMENT]...   FROM of here is TO there; with TO:ro it cannot be written
set -euo pipefail
if [ "$1" != --inside ]; then
  exec unshare --mount --propagation private "$0" --inside "$@"
fi
root=$(readlink -f "$2")
shift 2

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
  to=$root${1#*=}
  mkdir -p "${to%:ro}"
  mount --bind "${1%%=*}" "${to%:ro}"
  case $to in *:ro) mount -o remount,bind,ro "${to%:ro}" ;; esac
  shift
done
shift
cd "$root"
# The old root comes to lie on the new one, and goes.
pivot_root . .
umount -l .
cd /
exec "$@"
