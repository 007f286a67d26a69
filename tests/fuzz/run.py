"""Run the fuzz targets, each in a process of its own, for a bounded time.

    python tests/fuzz/run.py --total 60               # all targets share a minute
    python tests/fuzz/run.py --seconds 600            # ten minutes for each
    python tests/fuzz/run.py --target key_text --seconds 30
    python tests/fuzz/run.py --target key_text --input fuzz-corpus/crashes/key_text-crash-...

See README.md beside this file for what a target is. Exits 1 if any target found
something, and 2 if there is no target or no fuzzer to run it.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CORPUS = ROOT / "fuzz-corpus"
_MEMORY_MIB = 2048
_INPUT_SECONDS = 10
_MAX_INPUT_BYTES = 1 << 16
_PROCESSES = 2
_STARTUP_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Target:
    """One loaded target."""

    fuzz: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


def names() -> list[str]:
    """Return the names of all targets, sorted."""
    return sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py"))


def load(name: str) -> Target:
    """Import the target of that name."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))  # targets share fixtures with the tests as `tests.<folder>.<module>`
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", HERE / f"fuzz_{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return Target(fuzz=module.fuzz, seeds=module.seeds)


def run_one(name: str, seconds: int) -> tuple[int, str]:
    """Fuzz one target in a child process; returns its exit status and what it printed."""
    command = [sys.executable, str(HERE / "run.py"), "--target", name, "--child", "--seconds", str(seconds)]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + _STARTUP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"{name} did not end within {seconds + _STARTUP_SECONDS} seconds\n"
    return child.returncode, child.stdout + child.stderr


def fuzz_in_this_process(name: str, seconds: int) -> None:
    """Hand the process over to the fuzzer, which ends it."""
    import atheris

    with atheris.instrument_imports(include=["strongroom"], enable_loader_override=False):
        target = load(name)
    corpus = CORPUS / name
    crashes = CORPUS / "crashes"
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [
        f"-max_total_time={seconds}",
        f"-timeout={_INPUT_SECONDS}",
        f"-rss_limit_mb={_MEMORY_MIB}",
        f"-max_len={_MAX_INPUT_BYTES}",
        f"-artifact_prefix={crashes / name}-",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], target.fuzz)
    atheris.Fuzz()


def run_all(chosen: list[str], seconds: int) -> int:
    """Fuzz the targets, a few at a time; returns the exit status."""
    print(f"{len(chosen)} fuzz targets, {seconds} s each, {_PROCESSES} at a time", flush=True)
    failed = []
    with ThreadPoolExecutor(_PROCESSES) as pool:
        for name, (status, output) in zip(
            chosen, pool.map(lambda name: run_one(name, seconds), chosen), strict=True
        ):
            runs = [line.split()[-1] for line in output.splitlines() if "number_of_executed_units" in line]
            print(
                f"{'ok  ' if status == 0 else 'FAIL'} {name}: {runs[0] if runs else '?'} inputs", flush=True
            )
            if status != 0:
                failed.append(name)
                print(output[-6000:], flush=True)
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed else 0


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Run the fuzz targets for a bounded time.")
    parser.add_argument("--target", choices=names(), action="append", help="only this one; may be repeated")
    parser.add_argument("--seconds", type=int, help="time for each target")
    parser.add_argument("--total", type=int, default=60, help="time for all together (default 60)")
    parser.add_argument("--input", type=Path, help="run one input again, without a fuzzer")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    chosen = arguments.target or names()
    if not chosen:
        print("there is no fuzz target", file=sys.stderr)
        return 2
    if arguments.input is not None:
        load(chosen[0]).fuzz(arguments.input.read_bytes())
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: pip install 'strongroom[fuzz]'", file=sys.stderr)
        return 2
    seconds = arguments.seconds or max(1, arguments.total * _PROCESSES // len(chosen))
    if arguments.child:
        fuzz_in_this_process(chosen[0], seconds)
    return run_all(chosen, seconds)


if __name__ == "__main__":
    sys.exit(main())
