#!/usr/bin/env python3
"""Checks the licence and the source of every dependency, on all platforms and with all features, against deny.toml.

Does what `cargo deny check licenses sources bans` would do with that file, without its build of some 170 crates.
Security advisories need a database from the network and are not checked here. Needs cargo and Python 3.11.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WILDCARD = re.compile(r'=\s*"\*"')


def packages():
    """(name, version and source, licence expression) of every package in use, ours included."""
    command = ["cargo", "tree", "--workspace", "--locked", "--all-features", "--target", "all", "--prefix", "none"]
    tree = subprocess.run([*command, "-f", "{p}\t{l}"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    lines = {line.removesuffix(" (*)") for line in tree.splitlines() if line.strip()}
    for package, licence in sorted(line.split("\t") for line in lines):
        name, _, rest = package.partition(" ")
        yield name, rest, licence


def is_allowed(expression, allowed):
    """Whether an SPDX expression can be met with the allowed licences. `/` is an old spelling of OR."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def term():
        if not tokens or tokens[0] in (")", "AND", "OR", "WITH"):
            raise ValueError(f"cannot read the licence expression {expression!r}")
        if tokens[0] == "(":
            tokens.pop(0)
            value = either()
            if not tokens or tokens.pop(0) != ")":
                raise ValueError(f"cannot read the licence expression {expression!r}")
            return value
        licence = tokens.pop(0)
        if tokens[:1] == ["WITH"] and len(tokens) > 1:
            licence += f" WITH {tokens[1]}"
            del tokens[:2]
        return licence in allowed

    def both():
        value = term()
        while tokens[:1] == ["AND"]:
            tokens.pop(0)
            value = term() and value
        return value

    def either():
        value = both()
        while tokens[:1] == ["OR"]:
            tokens.pop(0)
            value = both() or value
        return value

    value = either()
    if tokens:
        raise ValueError(f"cannot read the licence expression {expression!r}")
    return value


def problems(policy):
    allowed = set(policy["licenses"]["allow"])
    exceptions = {entry["crate"]: set(entry["allow"]) for entry in policy["licenses"]["exceptions"]}
    used = set()
    for name, rest, licence in packages():
        place = re.sub(r"\(proc-macro\)", "", rest)
        source = re.search(r"\(([^)]*)\)", place)
        if source and not Path(source[1]).is_relative_to(ROOT):
            yield f"{name} {rest}: neither from crates.io nor from this workspace"
        if not licence:
            yield f"{name} {rest}: states no licence"
            continue
        try:
            if is_allowed(licence, allowed):
                continue
            if name in exceptions and is_allowed(licence, allowed | exceptions[name]):
                used.add(name)
            else:
                yield f"{name} {rest}: licence {licence} is not allowed by deny.toml"
        except ValueError as error:
            yield f"{name} {rest}: {error}"
    for name in sorted(exceptions.keys() - used):
        yield f"deny.toml: the exception for {name} is not needed"
    for manifest in (ROOT / "Cargo.toml", ROOT / "kernels" / "Cargo.toml"):
        for number, line in enumerate(manifest.read_text().splitlines(), 1):
            if WILDCARD.search(line):
                yield f"{manifest.relative_to(ROOT)}:{number}: a dependency of any version: {line.strip()}"


def main():
    policy = tomllib.loads((ROOT / "deny.toml").read_text())
    found = list(problems(policy))
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
