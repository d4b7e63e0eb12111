#!/bin/sh
# Makes the inputs that come from public packages, those that are missing: a wheel, the kernel's sources and a SoundFont.
#
#     Benchmarks/packages.sh [DIRECTORY]      by default Benchmarks/cache; about 4 GB
set -eu

mkdir -p "${1:-"$(dirname "$0")/cache"}"
cd "${1:-"$(dirname "$0")/cache"}"
work=$(mktemp -d ./work.XXXXXX)
trap 'rm -rf "$work"' EXIT

# One file out of a Debian package, without installing it. The sandbox user of apt may not write here.
fetch() {
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$1")
  dpkg-deb --fsys-tarfile "$work/$1"_*.deb | tar -xf - -C "$work" --wildcards "*/$2"
  rm "$work/$1"_*.deb
}

# The same wheels for all machines, whatever Python they have.
for wheel in scipy==1.17.1 numpy==2.4.6; do
  name=${wheel%%=*}
  [ -e "$name.whl" ] && continue
  /usr/bin/python3 -m pip download -q --no-deps --only-binary=:all: --platform manylinux_2_27_x86_64 \
    --python-version 3.11 --dest "$work" "$wheel"
  mv "$work/$name"-*.whl "$name.whl"
done
if [ ! -e soundfont.zip ]; then
  fetch fluid-soundfont-gm FluidR3_GM.sf2
  (cd "$work"/usr/share/sounds/sf2 && zip -q - FluidR3_GM.sf2) > "$work"/soundfont.zip
  mv "$work"/soundfont.zip .
fi
if [ ! -e linux.tar.xz ]; then
  fetch linux-source-6.1 linux-source-6.1.tar.xz
  mv "$work"/usr/src/linux-source-6.1.tar.xz linux.tar.xz
fi
if [ ! -e arch.7z ]; then
  tar -xf linux.tar.xz -C "$work" --wildcards 'linux-source-*/arch'
  (cd "$work"/linux-source-*/ && find arch | LC_ALL=C sort | zip -q -@ ../arch.zip \
    && tar --sort=name -cf ../arch.tar arch && 7z a -bso0 -bsp0 ../arch.7z arch)
  gzip -k "$work"/arch.tar
  zstd -q "$work"/arch.tar
  xz -k -T2 "$work"/arch.tar
  mv "$work"/arch.* .
fi
if [ ! -e streams.tar.bz2 ]; then
  bzip2 -c arch.tar > "$work"/arch.tar.bz2
  # One stream for each 900,000 bytes.
  pbzip2 -p2 -c arch.tar > "$work"/streams.tar.bz2
  mv "$work"/*.tar.bz2 .
fi
# Each member says how long it is; so does a skippable frame in front of each frame.
[ -e bgzf.tar.gz ] || { bgzip -c arch.tar > "$work"/part && mv "$work"/part bgzf.tar.gz; }
[ -e frames.tar.zst ] || { pzstd -q -p 2 -c arch.tar > "$work"/part && mv "$work"/part frames.tar.zst; }
if [ ! -e blocks.7z ]; then
  tar -xf arch.tar -C "$work"
  # Without links, which 7z refuses to unpack.
  (cd "$work" && find arch -type f | LC_ALL=C sort > names && 7z a -bso0 -bsp0 -ms=8m blocks.7z @names)
  mv "$work"/blocks.7z .
fi
for kind in tar tar.gz tar.zst; do
  [ -e linux.$kind ] && continue
  case $kind in
    tar) xz -dc -T0 linux.tar.xz ;;
    tar.gz) gzip -c linux.tar ;;
    tar.zst) zstd -qc linux.tar ;;
  esac > "$work"/part
  mv "$work"/part linux.$kind
done
