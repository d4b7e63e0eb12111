. "$(dirname "$0")/common.sh"
# An image of several layers, one of which has files below its own links, as umoci makes and unpacks it, and as skopeo saves it: the same names, modes, content and links.
[ "$(id -u)" = 0 ] && rootless= || rootless=--rootless
make() { umoci "$@" >log 2>&1 || { cat log >&2; exit 1; }; }
make init --layout layout
make new --image layout:first
make unpack $rootless --image layout:first one
mkdir -p one/rootfs/bin one/rootfs/etc one/rootfs/gone/deep one/rootfs/kept one/rootfs/turned/in
cp /bin/busybox one/rootfs/bin/busybox
for applet in cat find id md5sum readlink sh sort stat; do ln -s busybox one/rootfs/bin/$applet; done
echo 'root:x:0:0::/root:/bin/sh' >one/rootfs/etc/passwd
echo 1 >one/rootfs/gone/deep/f && echo 2 >one/rootfs/kept/low && echo 3 >one/rootfs/turned/in/f && echo 4 >one/rootfs/linked
make repack --image layout:second one
make unpack $rootless --image layout:second two
rm -r two/rootfs/gone two/rootfs/kept two/rootfs/turned
mkdir two/rootfs/kept && echo 5 >two/rootfs/kept/high && echo 6 >two/rootfs/turned
ln two/rootfs/linked two/rootfs/again && ln -s ../kept two/rootfs/etc/way && chmod 640 two/rootfs/linked && chmod 711 two/rootfs/bin
make repack --image layout:third two
make insert --image layout:third "$here/image.sh" /etc/inserted
mkdir -p links files/way files/up && ln -s kept links/way && ln -s ../../etc links/up
echo 7 >files/way/through && echo 8 >files/up/beside && ln -s through files/way/on
tar -cf own.tar -C links way up && tar -rf own.tar -C files way/through way/on up/beside
make raw add-layer --image layout:third own.tar
make config --image layout:third --config.env PATH=/bin --config.env WHO=umoci --config.workingdir /etc --config.cmd sh --config.cmd -c \
  --config.cmd 'echo $WHO $(id -u) $(pwd)'
make unpack $rootless --image layout:third three
skopeo --insecure-policy copy -q oci:layout:third docker-archive:saved.tar:name:third
skopeo --insecure-policy copy -q --dest-compress-format zstd oci:layout:third oci:zstd:third
tar -cf layout.tar -C layout . && tar -czf layout.tar.gz -C layout . && tar -cf zstd.tar -C zstd .
cat >look.sh <<'END'
cd "$1" || exit
find . \( -path ./proc -o -path ./dev -o -path ./etc/resolv.conf -o -path ./etc/hosts -o -path . \) -prune -o -print | sort |
while read -r name; do
  echo "$name $(stat -c '%a %F' "$name") $(readlink "$name")"
  [ -f "$name" ] && [ ! -L "$name" ] && md5sum "$name"
done
[ "$(stat -c %i linked)" = "$(stat -c %i again)" ] && echo one file
END
sh look.sh three/rootfs >expected
count=0
for archive in layout.tar layout.tar.gz saved.tar zstd.tar; do
  tag=third
  "$MA" run --image -q --tag $tag $archive -- sh -c "$(cat look.sh)" sh / >found
  diff expected found >&2
  count=$((count + 1))
done
echo "$("$MA" run --image -q --tag third saved.tar), $count same"
