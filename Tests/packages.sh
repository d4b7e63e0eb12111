#!/usr/bin/env bash
# Builds the Debian packages in a clean root of that release, looks at them with lintian, installs them in another root that has
# neither Swift nor a compiler, and tries them there as root and as an ordinary user. They lie in .build/packages/RELEASE then.
# For root.
#
#   packages.sh bookworm|trixie
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD
suite=$1
work=$source/.build/packages/$suite
building=$work/building trying=$work/trying

# The commit that is checked out, as a source tree of its own: dpkg-buildpackage puts its results beside it.
mkdir -p "$work"
rm -rf "$work/source"
git clone -q "$source" "$work/source"
depends=$(sed -n "/^Build-Depends:/,/^[A-Z]/p" debian/control | grep -oP "^ \K[a-z0-9+.-]+")
# shellcheck disable=SC2086
Tests/debian-root.sh "$suite" "$building" swift build-essential debhelper fakeroot lintian $depends
rm -f "$work"/*.deb
Tests/debian-run.sh "$building" sh -c "cd '$work/source' && dpkg-buildpackage -b -us -uc"
Tests/debian-run.sh "$building" sh -c "lintian --fail-on error --suppress-tags initial-upload-closes-no-bugs '$work'/*.changes"

Tests/debian-root.sh "$suite" "$trying" ca-certificates
rm -rf "$trying/root/packages"
mkdir "$trying/root/packages"
cp "$work"/*.deb Fixtures/demo/demo.zip Tests/installed.sh "$trying/root/packages"
Tests/enter-root.sh "$trying/root" -- env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root DEBIAN_FRONTEND=noninteractive \
  sh -eu /packages/installed.sh
