#!/usr/bin/env bash
# Builds and tests the library on Debian 13 (glibc 2.41, libarchive 3.7.4, liblzma 5.8): in a root of that system below
# .build, which is made once, with this machine's kernel, Swift toolchain and Git repositories.
#
#   debian13.sh PACKAGE...             what the tests need there; for root
#
# FILTER='REGEX...' runs those tests alone.
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD
work=$source/.build/debian13
root=$work/root
mkdir -p "$work"

# What Swift's toolchain needs besides.
packages="binutils ca-certificates git libc6-dev libcurl4t64 libgcc-14-dev libncurses6 libsqlite3-0 libstdc++-14-dev
  libuuid1 libxml2 make pkg-config tzdata zlib1g-dev $*"

if [ ! -e "$work/made" ]; then
  # The mirror that apt has been told of here.
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -1)
  rm -rf --one-file-system "$root"
  debootstrap --variant=minbase trixie "$root" "$mirror" >"$work/debootstrap.log"
  touch "$work/made"
fi
if [ "$(cat "$work/packages" 2>/dev/null)" != "$packages" ]; then
  # Whatever apt goes through here it has to go through there.
  cp -L /etc/resolv.conf /etc/hosts "$root/etc"
  Tests/enter-root.sh "$root" -- sh -c "apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(echo $packages) >/dev/null"
  echo "$packages" >"$work/packages"
fi

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

# inside COMMAND ARGUMENT...
inside() {
  Tests/enter-root.sh "$root" "${binds[@]}" -- env -i HOME=/root LANG=C.UTF-8 MEMARCHIVE_TESTED=1 \
    SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH="${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-4}" \
    PATH=/opt/swift/usr/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
    sh -c 'cd "$0" && exec "$@"' "$source" "$@"
}

filters=()
for filter in ${FILTER:-MemArchiveTests CommandTests FoundationTests}; do filters+=(--filter "$filter"); done
inside sh -c 'echo "Debian $(cat /etc/debian_version), $(getconf GNU_LIBC_VERSION)"; dpkg-query -W libarchive-dev liblzma-dev'
inside swift build -c release --build-tests --scratch-path "$work/build"
inside swift test -c release --skip-build --scratch-path "$work/build" "${filters[@]}"
