. "$(dirname "$0")/common.sh"
# A root file system of debootstrap's (Scripts/consumers makes it, as root). Its links into /etc/alternatives lead out of a
# tree, and into it only after chroot(2): awk is such a link. An ordinary user may do that in a user namespace.
unshare=
[ "$(id -u)" = 0 ] || unshare='unshare -r'
"$MA" run -q "$more/debian.tar" --tree --links keep -- $unshare /usr/sbin/chroot '{.}' /bin/sh -c '
  echo "Debian $(cut -d. -f1 /etc/debian_version), awk $(awk "BEGIN {{ print 6 * 7 }")"'
