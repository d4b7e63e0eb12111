. "$(dirname "$0")/common.sh"
# An AppImage is a program, which would mount by FUSE what follows it, and a squashfs.
mkdir -p app/usr
printf '#!/bin/sh\ncat "$(dirname "$(realpath "$0")")/usr/data"\n' >app/AppRun
chmod 755 app/AppRun
echo 'from the image' >app/usr/data
mksquashfs app image -comp zstd -quiet -no-progress >/dev/null
cat /bin/true image >Some.AppImage
echo "$("$MA" run --tree Some.AppImage -- '{AppRun}'), $("$MA" list image | wc -l | tr -d ' ') entries"
