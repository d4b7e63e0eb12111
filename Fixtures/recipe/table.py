"""The list of fixtures, and the table made of it."""

FIXTURES = []


def add(file, odd, made, data, entries, **more):
    """`libarchive` and `others`: in a sentence, what libarchive 3.6.2 or the format's own reader reads otherwise."""
    FIXTURES.append({"file": file, "odd": odd, "made": made, "data": data, "entries": entries, **more})
