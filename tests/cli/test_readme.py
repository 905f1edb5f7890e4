"""What the README shows is what the commands print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
MARGIN = re.compile(r"margin \S+")  # of rounding, which is not the same on all machines


def blocks():
    """Of each block: its commands, and what each is said to print."""
    for block in re.findall(r"(?:^    .*\n(?:\n(?=    \$))?)+", README, re.MULTILINE):
        lines = [line.removeprefix("    ") for line in block.splitlines() if line.strip()]
        if lines[0].startswith("$ "):
            starts = [n for n, line in enumerate(lines) if line.startswith("$ ")]
            ends = [*starts[1:], len(lines)]
            yield [(lines[a][2:], lines[a + 1 : b]) for a, b in zip(starts, ends, strict=True)]


BLOCKS = list(blocks())


def test_readme_shows_commands():
    shown = {command.split()[1] for block in BLOCKS for command, _ in block}
    assert {"derive", "check", "verify", "solve", "simulate", "new"} <= shown


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block[0][0])
def test_commands_print_what_is_shown(block, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command, shown in block:
        program, *arguments = command.removesuffix(" | tail -n 1").split()
        if program == "cat":
            Path(*arguments).write_text("\n".join(shown) + "\n", encoding="utf-8")
            continue
        assert program == "metastable"
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        lines = out.splitlines()[-1 if command.endswith("tail -n 1") else 0 :]
        assert [MARGIN.sub("", x) for x in lines] == [MARGIN.sub("", x) for x in shown]


def test_python_prints_what_is_shown():
    found = re.search(r"```python\n(.*?)```\n\nprints\n\n((?:    [^\n]*\n)+)", README, re.DOTALL)
    assert found is not None
    code, shown = found.groups()
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [x.removeprefix("    ") for x in shown.splitlines()]
