"""font.py GLYPHS OUT: writes a TrueType font whose outlines trace the pixel letters in GLYPHS.

Small letters share the capitals' glyphs. One pixel is 1/8 em: at a multiple of 8 pixels each is crisp.
"""
import struct
import sys

PIXEL, ROWS = 128, 7
EM, ASCENT, DESCENT = 8 * PIXEL, ROWS * PIXEL, PIXEL
FAMILY, STYLE, VERSION = "MemArchive Pixel", "Regular", "Version 1.000"
CREATED = 3_818_534_400   # seconds since 1904: 2025-01-01, so that each run writes the same bytes


def read_glyphs(path):
    with open(path) as file:
        for block in file.read().split("\n\n"):
            letter, *rows = block.split()
            assert len(rows) == ROWS and len(set(map(len, rows))) == 1, letter
            yield letter, rows


def contours(rows):
    """Closed outlines with the ink on the right hand, which TrueType fills; touching pixels share one."""
    ink = {(x, ROWS - 1 - y) for y, row in enumerate(rows) for x, mark in enumerate(row) if mark == "#"}
    edges = {}   # from → [to]: a point where two pixels meet at a corner only has two ways out
    for x, y in ink:
        if (x, y + 1) not in ink:
            edges.setdefault((x, y + 1), []).append((x + 1, y + 1))
        if (x + 1, y) not in ink:
            edges.setdefault((x + 1, y + 1), []).append((x + 1, y))
        if (x, y - 1) not in ink:
            edges.setdefault((x + 1, y), []).append((x, y))
        if (x - 1, y) not in ink:
            edges.setdefault((x, y), []).append((x, y + 1))
    found = []
    while edges:
        # The lowest of the leftmost points is always a corner, so no outline starts amid a straight line.
        outline, at, way = [], min(edges), None
        while at in edges:
            ways = edges[at]
            # At a corner turn right: the two pixels stay separate outlines, or holes stay whole.
            right = way and (at[0] + way[1], at[1] - way[0])
            to = right if right in ways else ways[0]
            ways.remove(to)
            if not ways:
                del edges[at]
            step = (to[0] - at[0], to[1] - at[1])
            if step != way:
                outline.append(at)
            at, way = to, step
        found.append([(px * PIXEL, py * PIXEL) for px, py in outline])
    return found


def glyph(rows):
    outlines = contours(rows)
    points = [p for outline in outlines for p in outline]
    if not points:
        return b"", 0
    xs, ys = [x for x, _ in points], [y for _, y in points]
    ends, last = [], -1
    for outline in outlines:
        last += len(outline)
        ends.append(last)
    data = struct.pack(">hhhhh", len(outlines), min(xs), min(ys), max(xs), max(ys))
    data += struct.pack(f">{len(ends)}HH", *ends, 0)
    data += b"\x01" * len(points)   # on the curve, both coordinates as 16-bit differences
    for values in (xs, ys):
        data += struct.pack(f">{len(values)}h", *(b - a for a, b in zip([0] + values, values)))
    return data + bytes(-len(data) % 4), min(xs)


def cmap(pairs):
    """Format 4 with one segment a code, for Windows and Unicode alike."""
    pairs = sorted(pairs) + [(0xFFFF, 0)]
    count = len(pairs)
    power = 1 << count.bit_length() - 1
    codes = [code for code, _ in pairs]
    body = struct.pack(">HHHH", count * 2, power * 2, power.bit_length() - 1, (count - power) * 2)
    body += struct.pack(f">{count}H", *codes) + bytes(2) + struct.pack(f">{count}H", *codes)
    body += struct.pack(f">{count}H", *((number - code) & 0xFFFF if number else 1 for code, number in pairs))
    body += bytes(2 * count)
    table = struct.pack(">HHH", 4, len(body) + 6, 0) + body
    return struct.pack(">HHHHIHHI", 0, 2, 0, 3, 20, 3, 1, 20) + table


def names():
    words = {0: "Drawn for MemArchive", 1: FAMILY, 2: STYLE, 3: f"{FAMILY} 1.000", 4: FAMILY, 5: VERSION,
             6: "MemArchivePixel-Regular", 13: "Licensed under the Apache License, Version 2.0"}
    records, pool = b"", b""
    for number, words_of in words.items():
        data = words_of.encode("utf-16-be")
        records += struct.pack(">HHHHHH", 3, 1, 0x409, number, len(data), len(pool))
        pool += data
    return struct.pack(">HHH", 0, len(words), 6 + len(records)) + records + pool


def checksum(data):
    return sum(struct.unpack(f">{len(data) // 4}I", data)) & 0xFFFFFFFF


def padded(data):
    return data + bytes(-len(data) % 4)


box = ["#####"] + ["#...#"] * (ROWS - 2) + ["#####"]
shapes, codes = [box, ["..."] * ROWS], [(0x20, 1)]
for letter, rows in read_glyphs(sys.argv[1]):
    codes += [(ord(form), len(shapes)) for form in {letter, letter.lower()}]
    shapes.append(rows)

glyf, loca, hmtx, widest, most_points, most_outlines = b"", [0], b"", 0, 0, 0
for rows in shapes:
    data, bearing = glyph(rows)
    glyf += data
    loca.append(len(glyf))
    hmtx += struct.pack(">Hh", (len(rows[0]) + 1) * PIXEL, bearing)
    widest = max(widest, len(rows[0]) + 1)
    outlines = contours(rows)
    most_outlines = max(most_outlines, len(outlines))
    most_points = max(most_points, sum(map(len, outlines)))

first, last = min(c for c, _ in codes), max(c for c, _ in codes)
tables = {
    b"OS/2": struct.pack(">HhHHH11h10B4I4s3H3h2H2I2h3H",
                         4, 5 * PIXEL, 400, 5, 0,
                         512, 512, 0, 128, 512, 512, 0, 384, 64, 320, 0,
                         2, 0, 6, 9, 0, 0, 0, 0, 0, 0,
                         1, 0, 0, 0, b"MEMA", 0x40, first, last,
                         ASCENT, -DESCENT, 0, ASCENT, DESCENT, 1, 0,
                         ASCENT, ASCENT, 0, 0x20, 1),
    b"cmap": cmap(codes),
    b"glyf": glyf,
    b"head": struct.pack(">IIIIHHQQhhhhHHhhh", 0x10000, 0x10000, 0, 0x5F0F3CF5, 3, EM, CREATED, CREATED,
                         0, 0, (widest - 1) * PIXEL, ASCENT, 0, 8, 2, 1, 0),
    b"hhea": struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, ASCENT, -DESCENT, 0, widest * PIXEL,
                         0, 0, (widest - 1) * PIXEL, 1, 0, 0, 0, 0, 0, 0, 0, len(shapes)),
    b"hmtx": hmtx,
    b"loca": struct.pack(f">{len(loca)}I", *loca),
    b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x10000, len(shapes), most_points, most_outlines,
                         0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
    b"name": names(),
    b"post": struct.pack(">IIhhIIIII", 0x30000, 0, -64, 64, 0, 0, 0, 0, 0),
}
power = 1 << len(tables).bit_length() - 1
head = struct.pack(">IHHHH", 0x10000, len(tables), power * 16, power.bit_length() - 1, (len(tables) - power) * 16)
offset, directory, body = 12 + 16 * len(tables), b"", b""
for tag, data in sorted(tables.items()):
    directory += tag + struct.pack(">III", checksum(padded(data)), offset + len(body), len(data))
    if tag == b"head":
        adjustment = len(head) + 16 * len(tables) + len(body) + 8
    body += padded(data)
font = bytearray(head + directory + body)
struct.pack_into(">I", font, adjustment, (0xB1B0AFBA - checksum(bytes(font))) & 0xFFFFFFFF)

with open(sys.argv[2], "wb") as out:
    out.write(font)
