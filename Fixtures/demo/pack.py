"""pack.py OUT FOLDER NAME=METHOD…: writes a zip whose bytes depend on the files' content and order only."""
import os
import sys
import zipfile

METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}
TIME = (2025, 1, 1, 0, 0, 0)
UNIX = 3

out, folder, *items = sys.argv[1:]
with zipfile.ZipFile(out, "w") as archive:
    for item in items:
        name, method = item.split("=")
        entry = zipfile.ZipInfo(name, TIME)
        entry.create_system = UNIX
        entry.external_attr = 0o100644 << 16
        with open(os.path.join(folder, name), "rb") as file:
            archive.writestr(entry, file.read(), METHODS[method], compresslevel=9)
