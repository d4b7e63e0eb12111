#!/usr/bin/env python3
"""archives.py DIRECTORY [more]: makes the archives of the consumer matrix, one tar for each consumer.

Everything is made here from nothing, or by the consumer's own tools; `more` adds those that `make consumers` needs.
"""
import io
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import wave
import zipfile
import zlib


def run(*command, cwd=None):
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def png(width, height, pixel):
    """A PNG of one color (ISO 15948): true color, 8 bits."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = (b"\0" + bytes(pixel) * width) * height
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def sound(path):
    """A tone of 440 Hz, half a second."""
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"".join(
            struct.pack("<h", int(20000 * math.sin(2 * math.pi * 440 * i / 8000))) for i in range(4000)))


def sndfile(root):
    sound(root / "tone.wav")


def magic(root):
    (root / "picture").write_bytes(png(31, 17, (255, 0, 0)))


def sqlite(root):
    run("sqlite3", "data.db", "create table t(n integer, s text); insert into t values (6, 'six'), (36, 'more');",
        cwd=root)


def xml(root):
    (root / "letter.dtd").write_text("<!ELEMENT letter (to, text)>\n<!ELEMENT to (#PCDATA)>\n"
                                     "<!ELEMENT text (#PCDATA)>\n<!ENTITY greeting 'from the DTD beside it'>\n")
    (root / "letter.xml").write_text('<?xml version="1.0"?>\n<!DOCTYPE letter SYSTEM "letter.dtd">\n'
                                     "<letter><to>you</to><text>&greeting;</text></letter>\n")


def libraries(root):
    """libouter.so needs libinner.so, which it looks for beside itself."""
    (root / "inner.c").write_text("int inner(void) { return 42; }\n")
    (root / "outer.c").write_text("int inner(void);\nint outer(void) { return inner() + 1; }\n")
    common = ["clang", "-shared", "-fPIC", "-nostdlib", "-fuse-ld=lld"]
    run(*common, "-Wl,-soname,libinner.so", "-o", "libinner.so", "inner.c", cwd=root)
    run(*common, "-Wl,-soname,libouter.so", "-Wl,-rpath,$ORIGIN", "-o", "libouter.so", "outer.c", "-L.", "-linner",
        cwd=root)


def package(root):
    (root / "app/inner").mkdir(parents=True)
    (root / "app/__main__.py").write_text("from inner.words import say\nprint(say('python'))\n")
    (root / "app/inner/__init__.py").write_text("")
    (root / "app/inner/words.py").write_text("def say(name):\n    return 'a package says hello to ' + name\n")
    with zipfile.ZipFile(root / "app.pyz", "w") as out:
        for path in sorted((root / "app").rglob("*.py")):
            out.write(path, path.relative_to(root / "app"))


def programs(root):
    for path in ("/usr/bin/printf", "/usr/bin/sha256sum"):
        shutil.copy(path, root)
    machine = os.uname().machine
    for name in ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"):
        for directory in ("/lib64", "/lib"):
            if os.path.exists(f"{directory}/{name}"):
                shutil.copy(f"{directory}/{name}", root / "ld.so")
    assert (root / "ld.so").exists(), machine


def svg(root):
    (root / "dot.png").write_bytes(png(4, 4, (0, 0, 255)))
    (root / "plain.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="#f00"/></svg>')
    (root / "linked.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="8" height="8">'
        '<image width="8" height="8" xlink:href="dot.png" href="dot.png"/></svg>')


def extension(root):
    """An extension module without Python's headers: what PEP 384's stable interface promises of two structures."""
    (root / "answers.c").write_text("""
        typedef struct { void *base[5]; const char *name, *doc; long size; void *methods, *slots[4]; } Module;
        typedef struct { const char *name; void *function; int flags; const char *doc; } Method;
        void *PyModule_Create2(Module *, int), *PyLong_FromLong(long);
        static void *answer(void *self, void *arguments) { return PyLong_FromLong(42); }
        static Method methods[] = {{"answer", answer, 4}, {0}};
        static Module module = {{(void *)1}, "answers", 0, -1, methods};
        void *PyInit_answers(void) { return PyModule_Create2(&module, 3); }
        """)
    run("clang", "-shared", "-fPIC", "-nostdlib", "-fuse-ld=lld", "-o", "answers.abi3.so", "answers.c", cwd=root)


def linked(root):
    """HDF5: a file whose one link leads to a dataset of another (HDF5 File Format Specification 3.0, superblock 0)."""
    (root / "numbers").write_text("6 36\n")
    run("h5import", "numbers", "-d", "1,2", "-p", "/n", "-t", "TEXTIN", "-s", "32", "-o", "data.h5", cwd=root)
    undefined = b"\xff" * 8
    def message(kind, body):
        body += bytes(-len(body) % 8)
        return struct.pack("<HHB3x", kind, len(body), 0) + body
    target = b"\0data.h5\0/n\0"
    messages = [message(2, b"\0\0" + undefined * 2),
                message(6, struct.pack("<BBBB", 1, 8, 64, 4) + b"link" + struct.pack("<H", len(target)) + target)]
    header = struct.pack("<BxHII4x", 1, len(messages), 1, sum(map(len, messages))) + b"".join(messages)
    superblock = (b"\x89HDF\r\n\x1a\n" + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0) + bytes(8)
                  + undefined + struct.pack("<Q", 96 + len(header)) + undefined)
    entry = struct.pack("<QQII16x", 0, 96, 0, 0)
    (root / "links.h5").write_bytes(superblock + entry + header)


def netcdf(root):
    (root / "t.cdl").write_text("netcdf t { dimensions: x = 3; variables: int v(x); data: v = 6, 36, 42; }\n")
    run("ncgen", "-k", "nc4", "-o", "t.nc", "t.cdl", cwd=root)


def grids(root):
    """A grid of heights (NOAA's GTX: south, west, steps, rows, columns, floats): 42 m everywhere."""
    (root / "flat.gtx").write_bytes(struct.pack(">4d2i", -10, -10, 10, 10, 3, 3) + struct.pack(">9f", *[42] * 9))


def spelling(root):
    (root / "words.aff").write_text("SET UTF-8\n")
    (root / "words.dic").write_text("1\nmemarchive\n")


def speech(root):
    """English under a name that espeak-ng does not have."""
    data = next(pathlib.Path("/usr/lib").glob("*/espeak-ng-data"))
    for name in ("phondata", "phonindex", "phontab", "intonations", "en_dict"):
        shutil.copy(data / name, root)
    (root / "lang").mkdir()
    (root / "lang/odd").write_text("name Odd\nlanguage qq\nphonemes en\ndictionary en\n")


def plugins(root):
    shutil.copy(next(pathlib.Path("/usr/lib").glob("*/gstreamer-1.0/libgstaudiotestsrc.so")), root)


def disks(root):
    (root / "base.raw").write_bytes(b"from the backing file ".ljust(65536, b"."))
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.raw", "top.qcow2", cwd=root)


def rules(root):
    (root / "main.yar").write_text('include "parts/word.yar"\nrule Outer { condition: Inner }\n')
    (root / "parts").mkdir()
    (root / "parts/word.yar").write_text('rule Inner { strings: $a = "what is looked for" condition: $a }\n')
    (root / "sample").write_text("this is what is looked for\n")


def film(root):
    # Sound without a header: the extension alone tells what it is.
    (root / "raw.g722").write_bytes(bytes(range(256)) * 12)


def shapes(root):
    """Two points with a name each: .shp, .shx and .dbf (ESRI's Shapefile description; dBASE III)."""
    points = [(1.0, 2.0), (3.0, 4.0)]
    def header(length):
        return struct.pack(">7i", 9994, 0, 0, 0, 0, 0, length) + struct.pack("<2i8d", 1000, 1, 1, 2, 3, 4, 0, 0, 0, 0)
    shp, shx = b"", b""
    for number, point in enumerate(points):
        shx += struct.pack(">2i", (100 + len(shp)) // 2, 10)
        shp += struct.pack(">2i", number + 1, 10) + struct.pack("<i2d", 1, *point)
    (root / "towns.shp").write_bytes(header((100 + len(shp)) // 2) + shp)
    (root / "towns.shx").write_bytes(header((100 + len(shx)) // 2) + shx)
    field = b"NAME".ljust(11, b"\0") + b"C" + bytes(4) + bytes([10, 0]) + bytes(14)
    records = b"".join(b" " + name.ljust(10).encode() for name in ("Aachen", "Zwickau"))
    (root / "towns.dbf").write_bytes(
        struct.pack("<4BIHH20x", 3, 124, 1, 1, len(points), 32 + 32 + 1, 11) + field + b"\r" + records + b"\x1a")


def disc(root):
    (root / "disc.bin").write_bytes(bytes(2352 * 300))
    (root / "disc.cue").write_text('FILE "disc.bin" BINARY\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n')


def document(root):
    """A PDF of one page (ISO 32000), with its table of references."""
    text = b"BT /F1 18 Tf 20 50 Td (Read by path) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number + 1, body)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    (root / "page.pdf").write_bytes(out + table + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(out))


def repository(root):
    with tempfile.TemporaryDirectory() as work:
        run("git", "init", "-q", "-b", "main", cwd=work)
        pathlib.Path(work, "file").write_text("content\n")
        run("git", "add", "file", cwd=work)
        run("git", "-c", "user.name=n", "-c", "user.email=e@invalid", "commit", "-q", "-m", "The only commit", cwd=work)
        run("git", "clone", "-q", "--bare", work, str(root / "work.git"))


def headers(root):
    (root / "src").mkdir()
    (root / "include/deep").mkdir(parents=True)
    (root / "src/main.c").write_text('#include "../include/outer.h"\nint answer = OUTER;\n')
    (root / "include/outer.h").write_text('#include "deep/inner.h"\n#define OUTER (INNER + 1)\n')
    (root / "include/deep/inner.h").write_text("#define INNER 41\n")


def modules(root):
    (root / "node_modules/words").mkdir(parents=True)
    (root / "main.js").write_text("console.log(require('words')('node'));\n")
    (root / "node_modules/words/package.json").write_text('{"name": "words", "main": "index.js"}\n')
    (root / "node_modules/words/index.js").write_text("module.exports = name => 'a module says hello to ' + name;\n")


def places(root):
    """A MaxMind DB (format 2.0) of one network: 1.0.0.0/8 is in the country XX."""
    def text(value):
        return bytes([2 << 5 | len(value)]) + value.encode()
    def number(value, kind):
        data = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return bytes([kind << 5 | len(data)]) + data
    def long(value):  # uint64 is of the extended types
        data = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return bytes([len(data), 9 - 7]) + data
    def mapping(*pairs):
        return bytes([7 << 5 | len(pairs)]) + b"".join(text(key) + value for key, value in pairs)
    count = 8
    tree = b""
    for bit in range(count):
        following = bit + 1 if bit + 1 < count else count + 16
        pair = (count, following) if 1 >> (7 - bit) & 1 else (following, count)
        tree += b"".join(value.to_bytes(3, "big") for value in pair)
    meta = mapping(
        ("node_count", number(count, 6)), ("record_size", number(24, 5)), ("ip_version", number(4, 5)),
        ("database_type", text("Test")), ("languages", bytes([0, 11 - 7])),
        ("binary_format_major_version", number(2, 5)), ("binary_format_minor_version", number(0, 5)),
        ("build_epoch", long(1700000000)), ("description", mapping(("en", text("test")))))
    data = mapping(("country", mapping(("iso_code", text("XX")))))
    (root / "places.mmdb").write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + meta)


def zones(root):
    """A zone that no system has: an hour and 23 minutes behind (RFC 8536), named ODD."""
    def body():
        return struct.pack(">4sc15x6I", b"TZif", b"2", 0, 0, 0, 0, 1, 4) + struct.pack(">iBB", -4980, 0, 0) + b"ODD\0"
    (root / "zoneinfo/Nowhere").mkdir(parents=True)
    (root / "zoneinfo/Nowhere/Odd").write_bytes(body() + body() + b"\n<ODD>1:23\n")


def jar(root):
    """Hello.class by hand (JVMS 4), in a jar."""
    def utf8(value):
        return b"\x01" + struct.pack(">H", len(value)) + value.encode()
    pool = [
        utf8("Hello"), b"\x07" + struct.pack(">H", 1), utf8("java/lang/Object"), b"\x07" + struct.pack(">H", 3),
        utf8("main"), utf8("([Ljava/lang/String;)V"), utf8("Code"), utf8("java/lang/System"),
        b"\x07" + struct.pack(">H", 8), utf8("out"), utf8("Ljava/io/PrintStream;"), b"\x0c" + struct.pack(">HH", 10, 11),
        b"\x09" + struct.pack(">HH", 9, 12), utf8("a jar says hello to java"), b"\x08" + struct.pack(">H", 14),
        utf8("java/io/PrintStream"), b"\x07" + struct.pack(">H", 16), utf8("println"), utf8("(Ljava/lang/String;)V"),
        b"\x0c" + struct.pack(">HH", 18, 19), b"\x0a" + struct.pack(">HH", 17, 20)]
    code = b"\xb2\x00\x0d\x12\x0f\xb6\x00\x15\xb1"  # getstatic 13, ldc 15, invokevirtual 21, return
    attribute = struct.pack(">HHI", 2, 1, len(code)) + code + struct.pack(">HH", 0, 0)
    method = struct.pack(">HHHH", 9, 5, 6, 1) + struct.pack(">HI", 7, len(attribute)) + attribute
    content = (struct.pack(">IHHH", 0xCAFEBABE, 0, 49, len(pool) + 1) + b"".join(pool)
               + struct.pack(">HHHHHH", 0x21, 2, 4, 0, 0, 1) + method + struct.pack(">H", 0))
    with zipfile.ZipFile(root / "hello.jar", "w") as out:
        out.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nMain-Class: Hello\r\n\r\n")
        out.writestr("Hello.class", content)


def pixels(root):
    (root / "picture.png").write_bytes(png(31, 17, (255, 0, 0)))


def letters(root):
    """A word, and what tesseract knows of English in a place of its own."""
    (root / "known").mkdir()
    shutil.copy(next(pathlib.Path("/usr/share/tesseract-ocr").glob("*/tessdata/eng.traineddata")), root / "known/odd.traineddata")
    font = next(pathlib.Path("/usr/share/fonts").rglob("DejaVuSans.ttf"))
    run("convert", "-font", str(font), "-pointsize", "60", "-bordercolor", "white", "label:Memory", "-border", "40", "word.png", cwd=root)


def playlist(root):
    """Two parts of a tone, and the list of them."""
    run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=duration=4", "-c:a", "mp2", "-hls_time", "2", "-hls_list_size", "0",
        "list.m3u8", cwd=root)


def addon(root):
    """A native module without node's headers: two functions of Node-API."""
    (root / "answers.c").write_text("""
        int napi_create_int32(void *, int, void **);
        void *napi_register_module_v1(void *env, void *exports) { void *value; napi_create_int32(env, 42, &value); return value; }
        """)
    run("clang", "-shared", "-fPIC", "-nostdlib", "-fuse-ld=lld", "-o", "answers.node", "answers.c", cwd=root)


ALWAYS = [sndfile, magic, sqlite, xml, libraries, package, programs, svg, extension, linked, netcdf, grids, spelling,
          speech, plugins, disks, rules]
MORE = [film, shapes, disc, document, repository, headers, modules, places, zones, jar, pixels,
        letters, playlist, addon]


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for make in ALWAYS + (MORE if sys.argv[2:] == ["more"] else []):
        with tempfile.TemporaryDirectory() as temporary:
            root = pathlib.Path(temporary)
            make(root)
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for path in sorted(root.iterdir()):
                    archive.add(path, path.name)
            (directory / (make.__name__ + ".tar")).write_bytes(buffer.getvalue())


main()
