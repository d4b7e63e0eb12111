# Installs the packages that lie beside this and tries what they bring, as root and as an ordinary user; see packages.sh.
cd "$(dirname "$0")"
chmod -R a+rX .
apt-get update -qq
apt-get install -qq -y --no-install-recommends --reinstall ./*.deb >/dev/null
echo "Debian $(cat /etc/debian_version): $(memarchive --version | head -n 1)"

# as USER COMMAND...
as() {
  user=$1
  shift
  if [ "$user" = root ]; then "$@"; else setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; fi
}
for user in root nobody; do
  # Never without the sandbox that the program has by default.
  as $user memarchive test --sandbox required demo.zip
  [ "$(as $user memarchive run --sandbox required demo.zip -- cat '{CONTENTS.txt}')" ]
done
[ -e /usr/share/man/man1/memarchive.1.gz ]
[ -e /usr/share/bash-completion/completions/memarchive ]

# The package for Python, on the library that is installed.
for user in root nobody; do
  as $user python3 -W error - demo.zip <<'PYTHON'
import importlib.metadata, sys, memarchive
assert importlib.metadata.version("memarchive") == memarchive.__version__, memarchive.__version__
with memarchive.open(sys.argv[1]) as archive:
    assert len(archive) == 7
    with open(archive["CONTENTS.txt"].path, "rb") as file:
        assert file.read() == archive["CONTENTS.txt"].read_bytes()
PYTHON
done

# A program in C, by the development package alone.
apt-get install -qq -y --no-install-recommends gcc libc6-dev pkg-config >/dev/null
cat >size.c <<'C'
#include <memarchive.h>
#include <stdio.h>

int main(int count, char **words) {
  memarchive_archive *archive = NULL;
  memarchive_files *files = NULL;
  memarchive_error *error = NULL;
  if (count == 2 && memarchive_open_path(words[1], NULL, &archive, &error) == MEMARCHIVE_OK)
    memarchive_extract(archive, NULL, &files, &error);
  if (error != NULL) fprintf(stderr, "%s\n", error->message);
  int failed = error != NULL;
  printf("%zu\n", memarchive_files_count(files));
  memarchive_error_free(error);
  memarchive_files_free(files);
  memarchive_archive_free(archive);
  return failed;
}
C
# shellcheck disable=SC2046
cc -Wall -Werror -o size size.c $(pkg-config --cflags --libs memarchive)
for user in root nobody; do [ "$(as $user ./size demo.zip)" = 7 ]; done
