. "$(dirname "$0")/common.sh"
# A zip without permissions: ssh wants a key that is its owner's alone.
ssh-keygen -q -t ed25519 -N '' -C 'the key' -f key
python3 -c '
import zipfile
with zipfile.ZipFile("key.zip", "w") as out:
    entry = zipfile.ZipInfo("key")
    entry.create_system = entry.external_attr = 0
    out.writestr(entry, open("key").read())'
rm key key.pub
for options in '' --hold --tree; do
  "$MA" run key.zip --mode 600 $options -- ssh-keygen -y -f '{key}'
done | sed 's/.* the/the/' | uniq -c | sed 's/^ *//'
