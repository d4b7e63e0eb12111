. "$(dirname "$0")/common.sh"
# Root opens a bare path read-write, and mount(8) would make the loop device so; in the tree that is refused, and mount(8) asks for less.
mkdir content point
echo 'from an image in an archive' >content/file
mksquashfs content image -quiet -no-progress >/dev/null
tar -cf image.tar image
rm -r image content
"$MA" run image.tar --tree -- sh -c 'mount -o loop "$1" point && cat point/file' sh '{image}'
