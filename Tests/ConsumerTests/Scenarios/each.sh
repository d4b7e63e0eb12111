. "$(dirname "$0")/common.sh"
# What scanners and hashers say of each entry, by a path in memory, is what they say of the files that other programs unpack.
mkdir in "in/a directory"
printf 'some text\n' >in/text
printf 'MARK and more' >"in/a directory/marked"
: >in/empty
printf '\211PNG\r\n\032\n\000\000\000\rIHDR\000\000\000\037\000\000\000\021\010\002\000\000\000' >in/picture
cp /bin/true in/program
gzip -c in/text >in/text.gz
head -c 3000000 /dev/zero >in/zeros
name=$(printf 'not \377 UTF-8')
cp in/text "in/$name"
echo 'rule Marked { strings: $a = "MARK" condition: $a }' >rules.yar
(cd in && tar -czf ../test.tar.gz . && rm "$name" && zip -qr ../test.zip .)
mkdir tar.gz zip
bsdtar -xf test.tar.gz -C tar.gz
unzip -q test.zip -d zip

# What a command prints of each file, in front of its name.
unpacked() { (cd "$kind" && find . -type f -exec sh -c "$1" sh {} {} \;) | sed 's/ \.\// /' | LC_ALL=C sort; }
streamed() { "$MA" each "test.$kind" -- sh -c "$1" sh {} | sed 's/ \.\// /' | LC_ALL=C sort; }
line='printf "%s %s\n" "$said" "${MEMARCHIVE_NAME:-$2}"'
for kind in tar.gz zip; do
  for tool in 'sha256sum <"$1" | cut -c1-64' 'file -bL "$1"' "yara -s $directory/rules.yar \"\$1\" | sed 's/ .*//'"; do
    unpacked "said=\$($tool); $line" >expected
    streamed "said=\$($tool); $line" >found
    # Something was said of each.
    if [ "$(wc -l <expected)" -ge 7 ] && cmp -s expected found; then echo same; else diff expected found >&2; echo differs; fi
  done
done | sort | uniq -c | sed 's/^ *//'
