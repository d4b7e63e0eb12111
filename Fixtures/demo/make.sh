#!/bin/sh
# make.sh [--new-certificate]: rebuilds demo.zip beside this script.
#
# Needs gcc for x86-64, openssl and Python 3 without packages. The certificate in demo.zip is kept, as its key is gone
# and a new one differs in every byte that matters; the option makes a new one all the same.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files=$work/files
mkdir -p "$files/music" "$files/fonts" "$files/lib" "$files/tls" "$files/scripts"

python3 "$here/soundfont.py" "$files/music/tiny.sf2"
python3 "$here/tune.py" "$files/music/tune.mid"
python3 "$here/font.py" "$here/glyphs.txt" "$files/fonts/memarchive-pixel.ttf"
cp "$here/hello.py" "$files/scripts/hello.py"
cp "$here/contents.txt" "$files/CONTENTS.txt"

# From inside the folder and without a build id, so that no path of the builder's machine gets in.
(cd "$here" && gcc -std=c11 -Wall -Wextra -Werror -O2 -fPIC -shared -s -Wl,--build-id=none -Wl,-soname,libgreet.so \
    -Wl,-z,noseparate-code -o "$files/lib/libgreet.so" greet.c)

certificate() {
    # openssl ca, because in OpenSSL 3.0 it alone takes both dates.
    cat >"$work/ca.cnf" <<END
[ca]
default_ca = demo
[demo]
database = $work/index.txt
new_certs_dir = $work
serial = $work/serial
default_md = sha256
policy = any
x509_extensions = leaf
[any]
organizationName = optional
commonName = supplied
[req]
distinguished_name = name
[name]
[leaf]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:demo.invalid
END
    : >"$work/index.txt"
    echo 4D454D41 >"$work/serial"
    openssl req -new -config "$work/ca.cnf" -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "/O=MemArchive/CN=demo.invalid" -keyout "$work/key.pem" -out "$work/request.pem" 2>/dev/null
    openssl ca -batch -notext -config "$work/ca.cnf" -selfsign -keyfile "$work/key.pem" -in "$work/request.pem" \
        -startdate 20250101000000Z -enddate 20491231235959Z -preserveDN -out "$1" 2>/dev/null
    rm "$work/key.pem"
}

if [ "${1-}" != --new-certificate ] && [ -e "$here/demo.zip" ]; then
    python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read("tls/cert.pem"))' \
        "$here/demo.zip" >"$files/tls/cert.pem"
else
    certificate "$files/tls/cert.pem"
fi

# Both of zip's usual methods, so that both are demonstrated.
python3 "$here/pack.py" "$work/demo.zip" "$files" CONTENTS.txt=stored music/tune.mid=stored music/tiny.sf2=deflated \
    fonts/memarchive-pixel.ttf=deflated lib/libgreet.so=deflated tls/cert.pem=stored scripts/hello.py=deflated
mv "$work/demo.zip" "$here/demo.zip"
ls -l "$here/demo.zip"
