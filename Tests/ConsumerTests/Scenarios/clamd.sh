. "$(dirname "$0")/common.sh"
# A scanner in another process. A bare path is a link, which clamdscan passes over, and its answer is OK all the same.
# What is sent to the other process must be a descriptor (FILDES in its protocol): from standard input, or of a file in a tree.
echo 'this is what is looked for' >bad
tar -cf bad.tar bad
rm bad
start_clamd
verdict() { sed 's/.*: //'; }
bare=$("$MA" run bad.tar -- clamdscan -c clamd.conf --no-summary --fdpass '{bad}' | verdict)
descriptor=$("$MA" run bad.tar -- sh -c 'clamdscan -c clamd.conf --no-summary --fdpass - <"$1"' sh '{bad}' | verdict)
tree=$("$MA" run bad.tar --tree -- clamdscan -c clamd.conf --no-summary --fdpass '{.}' | verdict)
echo "bare: $bare, descriptor: $descriptor, tree: $tree"
