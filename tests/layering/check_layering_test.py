#!/usr/bin/env python3
"""Shows that check_layering.py fails on a tree that breaks the table, and only then."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).with_name("check_layering.py")

TABLE = """
| level | module | what lives here | may include |
|---|---|---|---|
| 0 | `base` | errors | – |
| 1 | `sys` | kernel calls | base |
| 1 | `region` | maps | base |
| 2 | `store` | bytes | base, sys |
"""

GOOD = {
    "docs/architecture.md": TABLE,
    "include/stillframe/error.h": "#include <string>\n",
    "src/base/log.h": '#include "stillframe/error.h"\n',
    "src/sys/maps.cc": '#include "base/log.h"\n#include "sys/maps.h"\n#include <vector>\n',
    "src/sys/maps.h": "",
    "src/store/file.cc": '#include "sys/maps.h"\n',
    "src/store/CMakeLists.txt": "stillframe_module(store DEPENDS base sys SOURCES file.cc)\n",
}


class CheckLayering(unittest.TestCase):
    def run_on(self, changes):
        with tempfile.TemporaryDirectory() as directory:
            for name, text in {**GOOD, **changes}.items():
                path = pathlib.Path(directory, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return subprocess.run([sys.executable, CHECK, directory], capture_output=True, text=True)

    def assert_broken(self, changes, *words):
        result = self.run_on(changes)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def test_a_tree_that_keeps_to_the_table_passes(self):
        result = self.run_on({})
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_including_a_module_above(self):
        self.assert_broken({"src/base/clock.cc": '#include "sys/maps.h"\n'}, "src/base/clock.cc:1", "sys/maps.h")

    def test_including_a_neighbour(self):
        self.assert_broken({"src/region/map.cc": '\n\n#include "sys/maps.h"\n'}, "src/region/map.cc:3")

    def test_including_in_angle_brackets(self):
        self.assert_broken({"src/base/clock.cc": "#include <sys/maps.h>\n"}, "src/base/clock.cc:1")

    def test_a_header_of_the_system_below_sys_is_no_module(self):
        result = self.run_on({"src/base/clock.cc": "#include <sys/mman.h>\n"})
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_including_by_a_relative_path(self):
        self.assert_broken({"src/base/clock.cc": '#include "../sys/maps.h"\n'}, "src/base/clock.cc:1")

    def test_an_include_with_spaces_is_seen(self):
        self.assert_broken({"src/base/clock.cc": '  #  include "sys/maps.h"\n'}, "src/base/clock.cc:1")

    def test_an_include_in_a_deeper_folder_is_seen(self):
        self.assert_broken({"src/base/deep/er/x.h": '#include "store/file.h"\n'}, "src/base/deep/er/x.h:1")

    def test_a_folder_without_a_row(self):
        self.assert_broken({"src/magic/wand.cc": ""}, "magic has no row")

    def test_a_public_header_that_includes_a_module(self):
        self.assert_broken({"include/stillframe/save.h": '#include "base/log.h"\n'}, "include/stillframe/save.h:1")

    def test_linking_what_the_row_does_not_name(self):
        self.assert_broken(
            {"src/sys/CMakeLists.txt": "stillframe_module(sys\n  DEPENDS base region\n  SOURCES maps.cc)\n"},
            "sys may not link region")

    def test_a_table_that_names_a_module_above(self):
        result = self.run_on({"docs/architecture.md": TABLE + "| 0 | `low` | x | store |\n"})
        self.assertEqual(result.returncode, 2)

    def test_a_page_without_a_table(self):
        result = self.run_on({"docs/architecture.md": "# Architecture\n"})
        self.assertEqual(result.returncode, 2)


if __name__ == "__main__":
    unittest.main()
