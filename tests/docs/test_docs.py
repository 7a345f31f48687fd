"""Every command, program and configuration in the documentation is run as it stands.

The shell blocks of one page run in order, in one temporary folder, with the built `bedplate` on the
PATH. `cargo run --release --` stands for the built binary; `up` and `sim`, which would not end, are
started by the runner and stopped at the page's end. Python blocks run against the gateway that the
page started. TOML blocks are read by `bedplate check`.
A block that cannot run here says so on the line before: `<!-- not run: reason -->`.
"""

import json
import os
import re
import signal
import subprocess
import textwrap
import time

import pytest
from blocks import CHECKED, CONSOLE, NOT_RUN, PYTHON, ROOT, SHELL, TOML, blocks, checked_blocks, pages

from gateway import binary, clean_environment, cli

#: More blocks than these cannot stay unrun.
MOST_NOT_RUN = 16
#: A shell line that starts bedplate and does not end by itself.
LASTING = re.compile(r"^\s*(?:bedplate|cargo run --release --) (?P<verb>up|sim)\b(?P<rest>[^|;&#]*)(?:#.*|&)?\s*$")
PAGES = [p for p in pages() if p.exists()]


#: A command of this repository. `scripts/test` is what runs this; the others take long.
OUR_SCRIPT = re.compile(r"^\s*(?P<path>(?:scripts|\.ci)/[\w-]+)")
#: Where a page says that bedplate listens when nothing is configured; here it takes free ports.
LISTENS = {"data": "127.0.0.1:8080", "control": "127.0.0.1:8081", "endpoint": "127.0.0.1:9000"}
#: The application that pages speak of.
APP = """
import boto3
reply = boto3.client("bedrock-runtime", region_name="us-east-1").converse(
    modelId="us.amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "hello"}]}])
print(reply["output"]["message"]["content"][0]["text"])
"""


class Page:
    """A page being followed: its folder, its shell's state, and what it has started."""

    def __init__(self, folder):
        self.folder, self.running, self.listens = folder, [], {}
        programs = folder / "bin"
        programs.mkdir()
        (programs / "bedplate").symlink_to(binary())
        if python := os.environ.get("BEDPLATE_TEST_PYTHON"):
            for name in ("python", "python3"):
                (programs / name).write_text(f'#!/bin/sh\nexec "{python}" "$@"\n')
                (programs / name).chmod(0o755)
        self.project = folder / "project"
        self.project.mkdir()
        (self.project / "app.py").write_text(APP)
        self.environment = clean_environment(
            PATH=f"{programs}:{os.environ['PATH']}", HOME=str(folder), NO_COLOR="1")

    def follow(self, block):
        """Runs a shell block; what does not end by itself goes to the background."""
        script = []
        for line in block.commands.splitlines():
            if lasting := LASTING.match(line):
                self.run(block, "\n".join(script))
                script = []
                self.start(block, lasting["verb"], lasting["rest"].split())
            elif ours := OUR_SCRIPT.match(line):
                assert os.access(ROOT / ours["path"], os.X_OK), f"{block.name}: there is no `{ours['path']}`"
            else:
                script.append(line.replace("cargo run --release --", "bedplate"))
        self.run(block, "\n".join(script))

    def run(self, block, script):
        """Runs a script where the page's last one ended: same folder, same exported variables."""
        if not script.strip():
            return
        for said, real in self.listens.items():
            script = script.replace(said, real).replace(said.replace("127.0.0.1", "localhost"), real)
        state = self.folder / "state.sh"
        before = f". {state}\n" if state.exists() else ""
        whole = f'{before}{script}\n{{ export -p; printf "cd %q\\n" "$PWD"; }} > {state}\n'
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", whole], cwd=self.project, env=self.environment, text=True,
            capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{block.name}\n{script}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

    def start(self, block, verb, arguments):
        free = {"up": ["--data", "127.0.0.1:0", "--control", "127.0.0.1:0"], "sim": ["--listen", "127.0.0.1:0"]}[verb]
        for flag in free[::2]:
            assert flag not in arguments, f"{block.name}: `{flag}` is this runner's to choose"
        with open(self.folder / f"{verb}.log", "ab") as log:
            process = subprocess.Popen(
                [binary(), verb, *arguments, *free, *([] if "--format" in arguments else ["--format", "json"])],
                cwd=self.project, env=self.environment, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL)
        self.running.append(process)
        line = process.stdout.readline()
        assert line, f"{block.name}: `bedplate {verb}` ended:\n{(self.folder / f'{verb}.log').read_text()}"
        ready = json.loads(line)
        self.listens |= {LISTENS[m]: ready[m].split("://")[1] for m in LISTENS if m in ready}

    def stop(self):
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_page_says_to_run_runs(path, tmp_path):
    page = Page(tmp_path)
    try:
        for block in blocks(path):
            if block.not_run is not None:
                continue
            if block.language in SHELL | CONSOLE:
                page.follow(block)
            elif block.language in PYTHON:
                page.run(block, f"python3 - <<'END_OF_BLOCK'\n{block.text}END_OF_BLOCK\n")
    finally:
        page.stop()


@pytest.mark.parametrize("block", [b for b in checked_blocks() if b.language in TOML and b.not_run is None],
                         ids=lambda b: b.name)
def test_configuration_that_a_page_shows_is_valid(block, tmp_path):
    (tmp_path / "bedplate.toml").write_text(block.text)
    done = cli("check", project=tmp_path, ok=None)
    assert done.returncode == 0, f"{block.name}\n{done.stdout}{done.stderr}"


def test_what_is_not_run_says_why_and_is_little():
    unrun = [b for b in checked_blocks() if b.not_run is not None]
    for block in unrun:
        print(f"not run: {block.name}: {block.not_run}")
    print(f"{len(unrun)} of {len(checked_blocks())} blocks are not run")
    assert len(unrun) <= MOST_NOT_RUN, [b.name for b in unrun]


def test_every_marker_belongs_to_a_block():
    for path in PAGES:
        markers = len(NOT_RUN.findall(path.read_text()))
        assert markers == sum(b.not_run is not None for b in blocks(path)), path


def test_every_block_names_its_language():
    assert [b.name for p in PAGES for b in blocks(p) if not b.language] == [], "`text` will do"


def test_no_language_goes_by_another_name():
    others = {b.language for p in PAGES for b in blocks(p)} - CHECKED
    assert not others & {"shell", "zsh", "py", "shell-session", "shellsession"}, others


def test_the_readme_shows_the_commands_that_everything_begins_with():
    text = (ROOT / "README.md").read_text()
    for command in ("cargo run --release -- up", "scripts/test", "bedplate run -- python app.py"):
        assert command in text, command


def test_links_lead_somewhere():
    dead = []
    for path in [*PAGES, *(ROOT / n for n in ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert dead == []


def test_the_configuration_schema_is_the_one_the_binary_prints():
    printed = subprocess.run([binary(), "config", "schema"], capture_output=True, timeout=20, check=True).stdout
    assert json.loads(printed) == json.loads((ROOT / "docs/config.schema.json").read_text())


def test_what_up_prints_for_people_can_be_pasted_and_works(tmp_path):
    """`bedplate up` prints a boto3 and a curl snippet: what is indented is pasted into a shell."""
    page = Page(tmp_path)
    shown = tmp_path / "up.txt"
    with open(shown, "wb") as out:
        process = subprocess.Popen(
            [binary(), "up", "--data", "127.0.0.1:0", "--control", "127.0.0.1:0"], cwd=page.project,
            env=page.environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        text = _wait_for(shown, "curl")
        pasted = textwrap.dedent("\n".join(
            row for row in text[text.index("  export "):].splitlines() if row.startswith("  ") or not row.strip()))
        assert "boto3" in pasted and "curl" in pasted and "Bearer" in pasted
        done = _run(page, ["bash", "-euc", pasted])
        assert done.returncode == 0, f"{pasted}\n{done.stdout}{done.stderr}"
        assert "inputTokens" in done.stdout and '"stopReason"' in done.stdout, done.stdout
    finally:
        process.terminate()
        process.wait(15)


def _wait_for(path, word):
    until = time.monotonic() + 20
    while word not in path.read_text() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(0.3)
    return path.read_text()


def _run(page, command):
    return subprocess.run(command, cwd=page.project, env=page.environment, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)


def test_a_page_of_our_own_is_followed(tmp_path):
    """The runner itself: a page that lies is found out."""
    from blocks import Block

    page = Page(tmp_path)
    page.follow(Block(ROOT / "README.md", 1, "console", "$ echo one \\\n  two\nnoise\n$ export A=b; cd /\n", None))
    page.follow(Block(ROOT / "README.md", 1, "sh", 'test "$A$PWD" = b/\n', None))
    page.follow(Block(ROOT / "README.md", 1, "sh", "cargo run --release -- sim\ncurl -sS http://127.0.0.1:9000/\n", None))
    page.stop()
    with pytest.raises(AssertionError):
        page.follow(Block(ROOT / "README.md", 1, "sh", "false\n", None))
