. "$(dirname "$0")/common.sh"
# Entries are passed to clamd as descriptors, also of an archive inside the archive, several at once; what it finds is what it
# finds in the same files unpacked.
mkdir in out
for n in $(seq 40); do echo "file $n" >in/$n; done
for n in 7 23; do echo "this is what is looked for" >in/$n; done
tar -cf in/inner.tar -C in 7 8
zip -qrj test.zip in
unzip -q test.zip -d out
start_clamd
clamdscan -c clamd.conf --no-summary --fdpass out | sed -n "s|^$directory/out/||; s/ FOUND$//p" | grep -v '^inner' | sort >expected
status=0
"$MA" each test.zip --clamd socket --jobs 3 -q >found || status=$?
grep -v ': inner' found | sed 's/^test.zip: //; s/ FOUND$//' | sort | cmp - expected && echo "same, $(wc -l <expected) found, $status"
"$MA" each test.zip -r --clamd socket -q | grep inner.tar/ || true
"$MA" each test.zip --clamd socket --exclude '*7' --exclude 23 --exclude 'inner*' -q && echo clean
