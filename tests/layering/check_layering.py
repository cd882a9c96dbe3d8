#!/usr/bin/env python3
"""Holds every #include under src/ against the table "The house" in docs/architecture.md.

A module may include its own headers, the public ones, and those of the modules named in its row. So may what CMake
links: DEPENDS of stillframe_module() names no module that is not in the row.

    check_layering.py [TREE]      exit 0: all is well; 1: something breaks the table; 2: the table can't be read
"""

import pathlib
import re
import sys

ROW = re.compile(r"^\|\s*(\d+)\s*\|\s*`(\w+)`\s*\|[^|]*\|([^|]*)\|\s*$")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
DEPENDS = re.compile(r"stillframe_module\((\w+)(.*?)\)", re.DOTALL)
SOURCES = {".h", ".hpp", ".cc", ".cpp", ".c"}


def read_table(text):
    """{module: (level, modules it may include)}, or ValueError."""
    table = {}
    for line in text.splitlines():
        row = ROW.match(line)
        if not row:
            continue
        level, module, may = int(row[1]), row[2], row[3].strip()
        allowed = set() if may in ("–", "-", "") else {m.strip() for m in may.split(",")}
        if module in table:
            raise ValueError(f"module {module} stands in the table twice")
        table[module] = (level, allowed)
    if not table:
        raise ValueError("no table of modules found")
    for module, (level, allowed) in table.items():
        for other in allowed:
            if other not in table:
                raise ValueError(f"the row of {module} names {other}, which has no row")
            if table[other][0] >= level and other != module:
                raise ValueError(f"the row of {module} (level {level}) names {other}, which is not below it")
    return table


def module_of(header, kind, file, source_root, table):
    """The module that an include leads to; None for public headers and those of the system."""
    top = header.split("/")[0]
    if top in table and (source_root / header).exists():
        return top
    if kind == '"' and ".." in pathlib.PurePosixPath(header).parts:
        inside = (file.parent / header).resolve()
        if inside.is_relative_to(source_root):
            return inside.relative_to(source_root).parts[0]
    # A header of ours that isn't written yet still has its module's name in front.
    return top if kind == '"' and top in table and "/" in header else None


def check_includes(tree, table):
    source_root = (tree / "src").resolve()
    for file in sorted(p for p in source_root.rglob("*") if p.suffix in SOURCES):
        module = file.relative_to(source_root).parts[0]
        if module not in table:
            yield f"{file.relative_to(source_root.parent)}: the module {module} has no row in the table"
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            include = INCLUDE.match(line)
            if not include:
                continue
            other = module_of(include[2], include[1], file, source_root, table)
            if other is not None and other != module and other not in table[module][1]:
                yield (f"{file.relative_to(source_root.parent)}:{number}: {module} may not include "
                       f"{include[2]}: {other} is not in its row")


def check_public_headers(tree, table):
    """They are the contract, so they may not lean on what is behind it."""
    for file in sorted((tree / "include").rglob("*.h")):
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            include = INCLUDE.match(line)
            if include and include[2].split("/")[0] in table and "/" in include[2] and include[1] == '"':
                yield f"{file.relative_to(tree)}:{number}: a public header may not include {include[2]}"


def check_links(tree, table):
    for file in sorted((tree / "src").rglob("CMakeLists.txt")):
        text = re.sub(r"#.*", "", file.read_text())
        for module, arguments in DEPENDS.findall(text):
            if module not in table:
                yield f"{file.relative_to(tree)}: the module {module} has no row in the table"
                continue
            words = arguments.split()
            depends = []
            if "DEPENDS" in words:
                for word in words[words.index("DEPENDS") + 1:]:
                    if word.isupper():
                        break
                    depends.append(word)
            for other in depends:
                if other not in table[module][1]:
                    yield f"{file.relative_to(tree)}: {module} may not link {other}: it is not in its row"


def main():
    tree = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
    try:
        table = read_table((tree / "docs" / "architecture.md").read_text())
    except (OSError, ValueError) as failure:
        print(f"docs/architecture.md: {failure}", file=sys.stderr)
        return 2
    broken = [*check_includes(tree, table), *check_public_headers(tree, table), *check_links(tree, table)]
    for line in broken:
        print(line, file=sys.stderr)
    if not broken:
        print(f"{len(table)} modules keep to the table in docs/architecture.md")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
