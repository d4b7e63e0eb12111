#!/bin/sh
# Reads every archive of /archives in each isolation, by busybox as root: those of which $MEMARCHIVE_FORMATS is a list, or all,
# in each way, and others by `test` and by the library, as what a format's decoder asks of the kernel is asked there. A line for each:
#
#   @cell FORMAT COMMAND SANDBOX STATUS DIGEST ERROR    the digest is that of the output, the error its first line

cell() {
  command=$1
  shift
  timeout 120 "$@" >/tmp/output 2>/tmp/error
  status=$?
  set -- $(sha256sum /tmp/output)
  echo "@cell $format $command $sandbox $status $1 $(head -n 1 /tmp/error)"
}

# Prints what the tree has, and some of its files.
in_tree='cd "$MEMARCHIVE_ROOT" && find . | sort && cat "$0" "$1"'

# Changes every kind of thing in a tree, among them a directory that another takes the place of.
in_writable='cd "$MEMARCHIVE_ROOT" && echo more >>text && rm noise && rm -r small && mkdir small made && echo new >small/new &&
  chmod 600 bin/script && find . | sort && tail -n 1 text'

for archive in /archives/*; do
  format=${archive#/archives/ordinary.}
  deep= inner=
  case $format in deb) deep=-r inner=data.tar.xz/ ;; esac
  for sandbox in off auto required; do
    how="--sandbox $sandbox $deep $archive"
    cell test memarchive test $how
    cell library library $sandbox $archive
    case " ${MEMARCHIVE_FORMATS-$format} " in *" $format "*) ;; *) continue ;; esac
    cell list memarchive list $how
    cell digest memarchive digest $how
    cell cat memarchive cat $how ${inner}noise
    cell pipe sh -c 'cat "$0" | memarchive digest "$@" -' $archive --sandbox $sandbox $deep
    cell run memarchive run $how -- cat "{${inner}noise}" "{${inner}text}"
    cell hold memarchive run --hold $how -- cat "{${inner}noise}" "{${inner}text}"
    cell exec memarchive run $how --exec ${inner}bin/echo -- a program of the archive
    cell script memarchive run $how --exec ${inner}bin/script -- an argument
    cell tree memarchive run --tree $how -- sh -c "$in_tree" "{${inner}noise}" "{${inner}text}"
    cell tree-user su user -- -c '"$0" "$@"' memarchive run --tree $how -- \
      sh -c "$in_tree" "{${inner}noise}" "{${inner}text}"
    if [ $format = zip ]; then
      cell writable sh -c 'memarchive run --tree --changes /tmp/list "$@"; s=$?; cat /tmp/list; exit $s' - $how -- \
        sh -c "$in_writable"
      # Its tmpfs has no marks for a directory that replaces another before Linux 6.6.
      cell writable-user su user -- -c '"$0" "$@"' memarchive run --tree --writable $how -- \
        sh -c "$(echo "$in_writable" | sed 's/rm -r small && mkdir small made/mkdir made/')"
      cell merged memarchive run --tree --merge --also /archives/ordinary.tar.gz $how -- \
        sh -c "$in_tree" "{noise}" "{text}"
      # As many as let a template move its code.
      cell many memarchive test --sandbox $sandbox $(yes $archive | head -n 30)
    fi
  done
done
echo @end
