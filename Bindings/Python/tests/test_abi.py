"""_abi.py against memarchive.h: layouts and constants as a C compiler has them, functions as they are declared."""

from __future__ import annotations

import ctypes
import pathlib
import re
import shutil
import subprocess
from typing import Any

import pytest
from conftest import HEADER, REPOSITORY

import memarchive
from memarchive import _abi, _errors

STRUCTURES = {
    "text": _abi.Text,
    "error": _abi.Error,
    "progress": _abi.Progress,
    "options": _abi.Options,
    "source": _abi.Source,
    "time": _abi.Time,
    "entry": _abi.Entry,
    "warning": _abi.Warning,
    "listing": _abi.Listing,
    "selection": _abi.Selection,
    "feature": _abi.Feature,
    "platform": _abi.Platform,
}
#: What they tell is in structures, or set in them, here.
UNUSED = {"code_name", "options_init", "version_number"}

CODE = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)


def fields(name: str) -> list[str]:
    declared = re.search(rf"typedef struct memarchive_{name} {{(.*?)}} memarchive_{name};", CODE, re.S)
    assert declared is not None
    return re.findall(r"(\w+);", declared[1])


def printed(directory: pathlib.Path, body: str) -> dict[str, int]:
    """What a C program prints, lines of a name and a number."""
    compiler = shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler")
    source = directory / "abi.c"
    source.write_text(f'#include <stdio.h>\n#include "{HEADER}"\nint main(void) {{ {body} }}\n')
    subprocess.run([compiler, "-std=c11", "-Wall", "-Werror", "-o", directory / "abi", source], check=True)
    lines = subprocess.run([directory / "abi"], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: int(number) for name, number in (line.split() for line in lines)}


def test_every_structure_of_the_header_is_known() -> None:
    declared = re.findall(r"typedef struct memarchive_(\w+) {", CODE)
    assert declared == list(STRUCTURES)


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_has_the_layout_of_the_header(name: str, tmp_path: pathlib.Path) -> None:
    structure, names = STRUCTURES[name], fields(name)
    assert names == [field[0] for field in structure._fields_]
    layout = printed(
        tmp_path,
        f'printf("sizeof %zu\\n", sizeof(memarchive_{name}));'
        + "".join(
            f'printf("{field} %zu\\n", __builtin_offsetof(memarchive_{name}, {field}));'
            f'printf("{field}.size %zu\\n", sizeof(((memarchive_{name} *)0)->{field}));'
            for field in names
        ),
    )
    assert layout.pop("sizeof") == ctypes.sizeof(structure)
    ours = {}
    for field in names:
        ours[field] = getattr(structure, field).offset
        ours[f"{field}.size"] = getattr(structure, field).size
    assert layout == ours


def test_constants_are_those_of_the_header(tmp_path: pathlib.Path) -> None:
    names = re.findall(r"^\s*MEMARCHIVE_(\w+) = ", CODE, re.M)
    values = printed(tmp_path, "".join(f'printf("{name} %lld\\n", (long long)MEMARCHIVE_{name});' for name in names))

    def of(prefix: str) -> dict[str, int]:
        found = {name[len(prefix) :]: values.pop(name) for name in list(values) if name.startswith(prefix)}
        return {name.lower().replace("_", "-"): value for name, value in found.items()}

    # Two codes begin as the choices of a sandbox do.
    codes = {name: values.pop(name) for name in ("SANDBOX_UNAVAILABLE", "SANDBOX_VIOLATION")}
    assert of("SANDBOX_") == _abi.SANDBOX
    assert of("STORAGE_") == _abi.STORAGE
    assert of("DUPLICATES_") == _abi.DUPLICATES
    assert of("FORMATS_") | of("FORMAT_") == _abi.FORMATS
    assert of("KIND_") == {kind: number for number, kind in enumerate(_abi.KINDS)}
    assert values.pop("OK") == 0
    codes |= values
    assert set(codes.values()) == set(_errors.BY_CODE)
    # Each class is called as its code is.
    for name, number in codes.items():
        words = {"CORRUPT": "CorruptError", "TRUNCATED": "TruncatedError", "UNKNOWN": "Error"}
        words |= {"SYSTEM": "SystemFailure"}
        expected = words.get(name) or "".join(part.capitalize() for part in name.split("_"))
        assert _errors.BY_CODE[number].__name__ == expected


def test_functions_are_declared_as_in_the_header() -> None:
    declared = {
        name: (result, arguments)
        for result, name, arguments in re.findall(r"MEMARCHIVE_API\s+([\w\s*]+?)memarchive_(\w+)\((.*?)\);", CODE, re.S)
    }
    assert set(declared) == set(_abi.FUNCTIONS) | UNUSED
    for name, (result, arguments) in _abi.FUNCTIONS.items():
        c_result, c_arguments = declared[name]
        assert result == kind(c_result), name
        listed = [] if c_arguments.strip() == "void" else c_arguments.split(",")
        assert list(arguments) == [kind(re.sub(r"\w+\s*$", "", argument)) for argument in listed], name


HANDLES = ("archive", "files", "file", "tree", "stream", "cancellation")


def kind(declaration: str) -> Any:
    """What ctypes calls a type."""
    words = declaration.replace("*", " * ").replace("const", "").split()
    name, depth = words[0], words.count("*")
    if name == "void":
        base: Any = ctypes.c_void_p if depth else None
        depth -= 1
    elif name == "char":
        base, depth = ctypes.c_char_p, depth - 1
    elif name.startswith("memarchive_") and name[11:] in HANDLES:
        base, depth = ctypes.c_void_p, depth - 1
    elif name.startswith("memarchive_") and name[11:] in STRUCTURES:
        base = STRUCTURES[name[11:]]
    else:
        base = {
            "int32_t": ctypes.c_int32,
            "int64_t": ctypes.c_int64,
            "size_t": ctypes.c_size_t,
            "memarchive_code": ctypes.c_int32,
            "memarchive_block_callback": _abi.block_callback,
        }[name]
    for _ in range(max(depth, 0)):
        base = ctypes.POINTER(base)
    return base


def test_versions_agree() -> None:
    header = re.search(r'^#define MEMARCHIVE_VERSION "(.*)"$', CODE, re.M)
    project = re.search(r'^version = "(.*)"$', (REPOSITORY / "Bindings/Python/pyproject.toml").read_text(), re.M)
    assert header is not None and project is not None
    assert memarchive.__version__ == header[1] == project[1]
