#!/usr/bin/env bash
# Runs a command in a control group of so many bytes of memory, and says how much it took at most; cgroups(7).
# Its status is 77 where this user can make no such group.
#
#   in_group.sh BYTES COMMAND...
set -euo pipefail
parent=$(sed -n 's|^[0-9]*:memory:|/sys/fs/cgroup/memory|p' /proc/self/cgroup)
limit=memory.limit_in_bytes peak=memory.max_usage_in_bytes
if [ -z "$parent" ]; then
  # A group with processes has no groups below it that divide its memory: hence beside it.
  parent=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/..
  limit=memory.max peak=memory.peak
fi
group=$parent/fleet-$$
mkdir "$group" 2>/dev/null || exit 77
if ! echo "$1" 2>/dev/null >"$group/$limit"; then
  rmdir "$group"
  exit 77
fi
shift
status=0
bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@" || status=$?
echo "memory of the control group, at most: $(($(cat "$group/$peak" 2>/dev/null || echo 0) >> 20)) MiB"
# What the kernel still ends keeps the group.
for _ in {1..100}; do
  ! rmdir "$group" 2>/dev/null || break
  sleep 0.1
done
exit "$status"
