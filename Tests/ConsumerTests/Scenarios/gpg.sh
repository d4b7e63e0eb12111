. "$(dirname "$0")/common.sh"
# A key ring into which gpg writes while it is only read, with the agent's socket in it.
mkdir -m 700 home
gpg="gpg --batch --quiet --homedir"
$gpg home --passphrase '' --quick-gen-key 'somebody <somebody@example.invalid>' ed25519 default never 2>/dev/null
gpgconf --homedir "$PWD/home" --kill all
rm -f home/S.* home/trustdb.gpg
tar -cf ring.tar home
rm -r home
"$MA" run ring.tar --tree --writable --changes changes -- sh -c '
  echo text | '"$gpg"' "$1" --sign >signed && '"$gpg"' "$1" --status-fd 1 --verify signed 2>/dev/null
  gpgconf --homedir "$1" --kill all' sh '{home}' >out 2>err || { cat err >&2; exit 1; }
grep -q 'A.*home/trustdb.gpg' changes || { cat changes >&2; exit 1; }
grep -o 'GOODSIG.*<somebody@example.invalid>' out | sed 's/GOODSIG [0-9A-F]*/GOODSIG/'
