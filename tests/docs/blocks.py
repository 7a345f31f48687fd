"""Finds the fenced code blocks of the documentation."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHELL, CONSOLE, PYTHON, TOML = {"sh", "bash"}, {"console"}, {"python"}, {"toml"}
CHECKED = SHELL | CONSOLE | PYTHON | TOML
#: `<!-- not run: reason -->` on a line before the block.
NOT_RUN = re.compile(r"<!--\s*not run:\s*(?P<reason>.+?)\s*-->")


@dataclass
class Block:
    path: Path
    line: int
    language: str
    text: str
    not_run: str | None

    @property
    def name(self):
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self):
        """A shell block's commands; of a console block, the lines after `$ `."""
        if self.language not in CONSOLE:
            return self.text
        lines, carry = [], False
        for line in self.text.splitlines():
            if line.startswith("$ ") or carry:
                lines.append(line.removeprefix("$ "))
                carry = line.endswith("\\")
        return "\n".join(lines) + "\n"


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path):
    found, fence, marker = [], None, None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        stripped = line.strip()
        if fence is None:
            if opened := re.match(r"(`{3,}|~{3,})\s*(\S*)", stripped):
                fence = (opened[1], opened[2].lower(), number, len(line) - len(line.lstrip()), [])
            elif said := NOT_RUN.search(line):
                marker = said["reason"]
            elif stripped:
                marker = None
        elif stripped == fence[0]:
            text = "\n".join(row[fence[3]:] for row in fence[4]) + "\n"
            found.append(Block(path, fence[2], fence[1], text, marker))
            fence = marker = None
        else:
            fence[4].append(line)
    assert fence is None, f"{path}: the block that begins in line {fence[2]} has no end"
    return found


def checked_blocks():
    return [b for page in pages() if page.exists() for b in blocks(page) if b.language in CHECKED]
