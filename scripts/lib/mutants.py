"""Puts all seeded faults, each behind a switch, into a copy of the engine; builds it once, and looks how many schedules
it takes until the simulation sees each. Called by scripts/simulate."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRATES = ["core", "cost", "testkit", "pipeline"]
WITHIN = 1_000
SWITCH = """
/// Which seeded fault is switched on.
pub mod mutant {
    pub fn on(n: usize) -> bool {
        static ON: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        *ON.get_or_init(|| std::env::var("BEDPLATE_MUTANT").map_or(usize::MAX, |n| n.parse().unwrap_or(usize::MAX))) == n
    }
}
"""


def copy(to):
    for name in ["Cargo.toml", "Cargo.lock"]:
        shutil.copy2(ROOT / name, to / name)
    for crate in CRATES:
        shutil.copytree(ROOT / "crates" / crate, to / "crates" / crate)


def seed(mutants, to):
    with open(to / "crates/core/src/lib.rs", "a") as lib:
        lib.write(SWITCH)
    for n, mutant in enumerate(mutants):
        path = to / mutant["file"]
        text = path.read_text()
        if text.count(mutant["find"]) != 1:
            sys.exit(f"mutant {mutant['name']}: {mutant['find']!r} is {text.count(mutant['find'])} times in {mutant['file']}")
        within = "crate" if mutant["file"].startswith("crates/core/") else "bedplate_core"
        path.write_text(text.replace(mutant["find"], mutant["put"].replace("ON", f"{within}::mutant::on({n})")))


def build(at, built):
    command = ["cargo", "build", "--offline", "--quiet", "--profile", "simulation", "--package", "bedplate-pipeline", "--example", "simulate"]
    environment = os.environ | {"RUSTFLAGS": "--cap-lints=allow"}
    subprocess.run(command, cwd=at, env=environment, check=True)
    shutil.copy2(built, at / "simulate")
    return at / "simulate"


def seen(program, n):
    """How many schedules it takes until the fault is seen, and as what; `None` when it is not."""
    run = subprocess.run(
        [program, "--seeds", str(WITHIN), "--smallest", "0"], env=os.environ | {"BEDPLATE_MUTANT": str(n)}, capture_output=True, text=True, timeout=600
    )
    line = run.stdout.splitlines()[0] if run.stdout else run.stderr
    if run.returncode == 0:
        return None
    seed, said = line.removeprefix("simulation: seed ").split(" FAILED: ", 1)
    return int(seed) + 1, said


def main():
    built, word = Path(sys.argv[1]), sys.argv[2]
    mutants = tomllib.loads((ROOT / "crates/pipeline/examples/simulate/mutants.toml").read_text())["mutant"]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="bedplate-mutants.") as folder:
        copy(Path(folder))
        seed(mutants, Path(folder))
        program = build(Path(folder), built)
        if found := seen(program, -1):
            sys.exit(f"without a fault the simulation fails, too: {found}")
        for n, mutant in enumerate(mutants):
            if word not in mutant["name"]:
                continue
            found = seen(program, n)
            missed += found is None
            after = f"ok, seen after {found[0]:>4}: {found[1][:100]}" if found else f"FAILED, not seen within {WITHIN}"
            print(f"mutant: {mutant['name']}: {after}", flush=True)
    sys.exit(1 if missed else 0)


main()
