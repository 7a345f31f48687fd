"""Puts all seeded faults, each behind a switch, into a copy of the engine; builds it once, and looks how many schedules
it takes until the simulation sees each. Called by scripts/simulate."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "crates/pipeline/examples/simulate"
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


def sources():
    """What the copy consists of: path from the root → bytes."""
    listed = [ROOT / "Cargo.toml", ROOT / "Cargo.lock"]
    for crate in CRATES:
        listed += [p for p in sorted((ROOT / "crates" / crate).rglob("*")) if p.is_file()]
    return {str(p.relative_to(ROOT)): p.read_bytes() for p in listed}


def seeded(files, mutants):
    texts = {mutant["file"]: files[mutant["file"]].decode() for mutant in mutants}
    for n, mutant in enumerate(mutants):
        file, find = mutant["file"], mutant["find"]
        if texts[file].count(find) != 1:
            sys.exit(f"mutant {mutant['name']}: {find!r} is {texts[file].count(find)} times in {file}")
        within = "crate" if file.startswith("crates/core/") else "bedplate_core"
        texts[file] = texts[file].replace(find, mutant["put"].replace("ON", f"{within}::mutant::on({n})"))
    # else cargo takes these packages for the real ones, whose dependencies they share
    version = '[workspace.package]\nversion = "0.1.0"'
    texts["Cargo.toml"] = files["Cargo.toml"].decode()
    if version not in texts["Cargo.toml"]:
        sys.exit(f"Cargo.toml does not say {version!r}")
    texts["Cargo.toml"] = texts["Cargo.toml"].replace(version, version.replace("0.1.0", "0.1.9999"))
    lib = "crates/core/src/lib.rs"
    texts[lib] = texts.get(lib, files[lib].decode()) + SWITCH
    return files | {file: text.encode() for file, text in texts.items()}


def write(files, to):
    """Writes what changed since the last time, so that only that is built again."""
    for file, data in files.items():
        path = to / file
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    for path in [p for p in to.rglob("*") if p.is_file()]:
        if str(path.relative_to(to)) not in files:
            path.unlink()


def build(at, built):
    command = ["cargo", "build", "--offline", "--quiet", "--profile", "simulation", "--package", "bedplate-pipeline", "--example", "simulate"]
    done = subprocess.run(command, cwd=at / "source", capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the engine with the seeded faults does not build:\n{done.stderr}")
    # the next build of the real one has the same name
    program = shutil.copy2(built, at / "simulate")
    if b"BEDPLATE_MUTANT" not in program.read_bytes():
        sys.exit("what was built is not the engine with the seeded faults")
    return program


def seen(program, n, calls, within=WITHIN):
    """How many schedules it takes until the fault is seen, and by which rule; `None` when it is not."""
    run = subprocess.run(
        [program, *(["calls"] if calls else []), str(within), "--brief"], env=os.environ | {"BEDPLATE_MUTANT": str(n)}, capture_output=True, text=True, timeout=600
    )
    if run.returncode == 0:
        return None
    seed, said = run.stdout.splitlines()[0].removeprefix("simulation: seed ").split(" FAILED: ", 1)
    return int(seed) + 1, said.split(":", 1)[0]


def main():
    words = sys.argv[1:]
    calls = words[:1] == ["calls"]
    words = words[calls:]
    # all in one copy, which is built once; those of budgets first
    both = [(file, tomllib.loads((HERE / file).read_text())["mutant"]) for file in ("mutants.toml", "calls/mutants.toml")]
    mutants = [mutant | {"calls": "calls" in file} for file, some in both for mutant in some]
    wanted = [
        (n, mutant) for n, mutant in enumerate(mutants) if mutant["calls"] == calls
        if not words or (mutant.get("quick") if words == ["--quick"] else " ".join(words) in mutant["name"])
    ]
    if not wanted:
        sys.exit(f"no mutant has `{' '.join(words)}` in its name")
    # one place for all runs: what did not change need not be built again
    target = Path(os.environ["CARGO_TARGET_DIR"])
    write(seeded(sources(), mutants), target / "mutants/source")
    program = build(target / "mutants", target / "simulation/examples/simulate")
    if found := seen(program, -1, calls, 100):
        sys.exit(f"without a fault the simulation fails, too: {found}")
    print(f"{'mutant':<82} {'seen after':>10}  by the rule", flush=True)
    missed = 0
    for n, mutant in wanted:
        found = seen(program, n, calls)
        missed += found is None
        said = f"{found[0]:>10}  {found[1]}" if found else f"{'never':>10}  FAILED"
        print(f"{mutant['name']:<82} {said}", flush=True)
    print(f"mutants{' of calls' * calls}: {len(wanted) - missed} of {len(wanted)} seen within {WITHIN} schedules")
    sys.exit(1 if missed else 0)


main()
