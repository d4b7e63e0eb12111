#!/bin/sh
# Makes the inputs that come from Debian's packages, those that are missing: the kernel's sources and a SoundFont.
#
#     Benchmarks/packages.sh [DIRECTORY]      by default Benchmarks/cache
set -eu

cd "${1:-"$(dirname "$0")/cache"}"
work=$(mktemp -d ./work.XXXXXX)
trap 'rm -rf "$work"' EXIT

fetch() {
  (cd "$work" && apt-get download "$1" >/dev/null)
  dpkg-deb --fsys-tarfile "$work/$1"_*.deb | tar -xf - -C "$work" --wildcards "*/$2"
}

if [ ! -e linux.tar.xz ]; then
  fetch linux-source-6.1 linux-source-6.1.tar.xz
  mv "$work"/usr/src/linux-source-6.1.tar.xz linux.tar.xz
fi
if [ ! -e arch.zip ]; then
  tar -xf linux.tar.xz -C "$work" --wildcards 'linux-source-*/arch'
  (cd "$work"/linux-source-*/ && find arch | LC_ALL=C sort | zip -q -@ ../arch.zip \
    && tar --sort=name -cf ../arch.tar arch)
  gzip -k "$work"/arch.tar
  zstd -q "$work"/arch.tar
  xz -k -T2 "$work"/arch.tar
  mv "$work"/arch.tar "$work"/arch.tar.* "$work"/arch.zip .
fi
if [ ! -e soundfont.zip ]; then
  fetch fluid-soundfont-gm FluidR3_GM.sf2
  (cd "$work"/usr/share/sounds/sf2 && zip -q - FluidR3_GM.sf2) > "$work"/soundfont.zip
  mv "$work"/soundfont.zip .
fi
for kind in tar tar.gz tar.zst; do
  [ -e linux.$kind ] && continue
  case $kind in
    tar) xz -dc -T2 linux.tar.xz ;;
    tar.gz) gzip -c linux.tar ;;
    tar.zst) zstd -qc linux.tar ;;
  esac > "$work"/part
  mv "$work"/part linux.$kind
done
