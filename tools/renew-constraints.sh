#!/usr/bin/env bash
# Write constraints.txt: names and versions of everything that the extras pull in,
# as it installs together today. No addresses, no hashes: where packages come from
# is the business of whoever installs.
#
#   make constraints
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)"
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT

unset PIP_CONSTRAINT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip --disable-pip-version-check install --quiet --quiet "$root[dev]"
{
  echo "# What \`make demo\` and \`make test\` install, written by \`make constraints\`."
  echo "# The wheel itself asks for ranges (pyproject.toml) and is tried with the newest of everything."
  "$place/venv/bin/python" -m pip --disable-pip-version-check freeze --exclude strongroom |
    grep -E '^[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+$' | sort -f
} > "$place/constraints.txt"
mv "$place/constraints.txt" "$root/constraints.txt"
chmod 0644 "$root/constraints.txt"
echo "constraints: $(grep -c == "$root/constraints.txt") packages pinned"
