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
