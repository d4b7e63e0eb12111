. "$(dirname "$0")/common.sh"
# A working tree: status writes the index, and a commit objects and references.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
me='git -c user.name=n -c user.email=e@example.invalid'
git init -q -b main work
echo one >work/file
git -C work add file
$me -C work commit -q -m first
tar -cf work.tar work
rm -r work
"$MA" run work.tar --tree --writable --changes changes --chdir -- sh -c '
  cd work
  git status --porcelain
  echo two >>file
  git status --porcelain
  '"$me"' commit -q -a -m second
  git log --format=%s' >out
grep -q 'M.*work/file' changes
[ "$(tar -xOf work.tar work/file)" = one ]
echo $(cat out)
