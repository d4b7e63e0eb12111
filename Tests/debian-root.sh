#!/usr/bin/env bash
# Makes WORK/root, a root of that Debian release with these packages, unless it is there. For root.
#
#   debian-root.sh bookworm|trixie WORK [swift] PACKAGE...      swift: what its toolchain needs, see debian-run.sh
set -euo pipefail
cd "$(dirname "$0")/.."
suite=$1 work=$2
shift 2
packages=$*
if [ "$1" = swift ]; then
  case $suite in
    bookworm) libraries='libcurl4 libgcc-12-dev libstdc++-12-dev' ;;
    trixie) libraries='libcurl4t64 libgcc-14-dev libstdc++-14-dev' ;;
  esac
  shift
  packages="binutils ca-certificates git libc6-dev $libraries libncurses6 libsqlite3-0 libuuid1 libxml2 make pkg-config tzdata
    zlib1g-dev $*"
fi
mkdir -p "$work"

if [ ! -e "$work/made" ]; then
  # The mirror that apt has been told of here.
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -1)
  rm -rf --one-file-system "$work/root"
  debootstrap --variant=minbase "$suite" "$work/root" "$mirror" >"$work/debootstrap.log"
  touch "$work/made"
fi
if [ "$(cat "$work/packages" 2>/dev/null)" != "$packages" ]; then
  # Whatever apt goes through here it has to go through there.
  cp -L /etc/resolv.conf /etc/hosts "$work/root/etc"
  Tests/enter-root.sh "$work/root" -- sh -c "apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(echo $packages) >/dev/null"
  echo "$packages" >"$work/packages"
fi
