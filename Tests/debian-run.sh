#!/usr/bin/env bash
# Runs a command in the source tree in WORK/root (debian-root.sh), with this machine's kernel, Swift toolchain and Git
# repositories. For root.
#
#   debian-run.sh WORK COMMAND [ARGUMENT]...
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD
root=$1/root
shift

toolchain=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")
binds=("$toolchain=/opt/swift/usr:ro" "$source=$source")
# What Git takes from this machine in place of others', it finds there as well.
rm -f "$root/etc/gitconfig"
git config --file "$root/etc/gitconfig" --add safe.directory '*'
while read -r key value; do
  directory=${key#url.}
  directory=${directory%.insteadof}
  [ -d "$directory" ] || continue
  binds+=("$directory=$directory:ro")
  git config --file "$root/etc/gitconfig" --add "$key" "$value"
done < <(git config --get-regexp '^url\..*\.insteadof$')

exec Tests/enter-root.sh "$root" "${binds[@]}" -- env -i HOME=/root LANG=C.UTF-8 \
  PATH=/opt/swift/usr/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
  sh -c 'cd "$0" && exec "$@"' "$source" "$@"
