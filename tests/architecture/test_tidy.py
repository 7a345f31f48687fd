"""House rules that no compiler checks."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Files that may be longer than 500 lines, and why.
LONG_FILES = {}
LONGEST = 500

#: Registry hosts, and folders of the machines that build this project. In pieces, so that this file
#: does not find itself.
FORBIDDEN = re.compile(
    r"(index|static)\.cra" r"tes\.io|py" r"pi\.org|files\.python" r"hosted|registry\.np" r"mjs|deb\.deb" r"ian\.org"
    r"|/wo" r"rk/(main|shared|steering|\.)|/tmp/bash" r"_jobs|/ro" r"ot/\."
)


def tracked(*patterns):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    return [p for p in listed.split("\0") if p and (ROOT / p).is_file()]


def texts(*patterns):
    for path in tracked(*patterns):
        try:
            yield path, (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue


def test_no_file_is_longer_than_an_idea():
    long = {p: t.count("\n") for p, t in texts("*.rs", "*.py", "*.mjs") if t.count("\n") > LONGEST}
    strangers = {p: n for p, n in long.items() if p not in LONG_FILES}
    assert strangers == {}, "split these by idea, or list them in LONG_FILES with a reason"
    assert set(LONG_FILES) <= set(long), "LONG_FILES names files that are short enough"


def test_no_registry_host_and_no_machine_path_is_written_down():
    # Cargo.lock names its registry by necessity; cargo refuses a lock without it.
    found = [
        f"{path}:{n}: {line.strip()[:120]}"
        for path, text in texts()
        if path != "Cargo.lock"
        for n, line in enumerate(text.splitlines(), 1)
        if FORBIDDEN.search(line)
    ]
    assert found == []


def codes():
    source = (ROOT / "crates/core/src/refusal.rs").read_text()
    return {f"BP{n}" for n in re.findall(r"^\s+\w+ = (\d{4}), \w+, \w+;", source, re.MULTILINE)}


def test_every_code_has_a_page_and_every_page_a_code():
    pages = {p.stem for p in (ROOT / "docs/errors").glob("BP*.md")}
    assert len(codes()) > 20, "the codes could not be read from refusal.rs"
    assert codes() - pages == set(), "codes without a page in docs/errors"
    assert pages - codes() == set(), "pages of codes that do not exist"


@pytest.mark.parametrize("code", sorted(codes()))
def test_a_page_says_what_happened_and_what_to_do(code):
    page = (ROOT / f"docs/errors/{code}.md").read_text()
    assert page.startswith(f"# {code}"), "the first line is the code and its sentence"
    assert len(page.split()) > 40, "a page says what happened, why, and what to do"


def test_no_test_is_ignored_and_nothing_is_left_to_do():
    marks = re.compile(r"#\[ignore|to" r"do!\(|unimple" r"mented!\(|FIX" r"ME|not yet imple" r"mented")
    found = [
        f"{path}:{n}" for path, text in texts("*.rs", "*.py", "*.mjs", "*.sh")
        for n, line in enumerate(text.splitlines(), 1) if marks.search(line)
    ]
    assert found == []


def test_integration_tests_are_one_binary_a_crate():
    binaries = {}
    for path in tracked(":(glob)crates/*/tests/*.rs", ":(glob)crates/*/tests/*/main.rs"):
        binaries.setdefault(path.split("/")[1], []).append(path)
    assert {c: paths for c, paths in binaries.items() if len(paths) > 1} == {}


def test_no_build_output_is_tracked():
    assert tracked("*node_modules*", "target/*", "*.pyc", "*.db", ".bedplate/*") == []


def test_the_lock_of_the_npm_clients_names_no_download_address():
    lock = (ROOT / "tests/js/package-lock.json").read_text()
    assert '"resolved"' not in lock and '"integrity"' in lock


def test_the_lock_of_the_python_clients_is_whole():
    lines = (ROOT / "tests/requirements.txt").read_text().splitlines()
    loose = [line for line in lines if line and not line.startswith("#") and "==" not in line]
    assert loose == []
