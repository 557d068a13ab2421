"""The table of mutants keeps up with the code: each changes a line that is there into another that Python reads."""

import pytest
from mutants import MUTANTS, ROOT, Copy, chosen


def test_names_are_unique_and_globs_find_them():
    assert len({each.name for each in MUTANTS}) == len(MUTANTS) >= 26
    assert [each.name for each in chosen(["noise x*", "gravity*"])] == ["noise x20", "gravity upwards"]


@pytest.mark.parametrize("each", MUTANTS, ids=lambda each: each.name)
def test_a_mutant_changes_text_that_is_there_into_text_that_python_reads(each):
    for file, old, new in each.edits:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"mend the row of '{each.name}' in tests/mutants.py: {file} has not '{old}' once"
        assert old != new
        if file.endswith(".py"):
            compile(text.replace(old, new), file, "exec")
    assert all((ROOT / test).exists() for test in each.tests)


def test_a_killed_mutant_names_its_test_and_leaves_the_copy_as_it_was(tmp_path):
    copy, (each,) = Copy(tmp_path), chosen(["noise x20"])
    (tmp_path / "tests" / "test_one.py").write_text(
        "import tianbao\n"
        "from pathlib import Path\n"
        "def test_it():\n"
        "    assert '20.0 * p.noise' not in Path('tianbao/network/design.py').read_text()\n"
        "    assert Path(tianbao.__file__).parents[1] == Path.cwd()\n"
    )
    assert copy.fails(("tests/test_one.py",)) == ""
    assert copy.mutate(each) == ""
    assert copy.fails(("tests/test_one.py",)) == "tests/test_one.py::test_it"
    copy.mend(each)
    assert copy.fails(("tests/test_one.py",)) == ""
