#!/usr/bin/env bash
# Install each client of tests/clients into an environment of its own: they clash with one another.
#
#   tools/setup-clients.sh .venv/clients        makes .venv/clients/triton_http and so on
set -euo pipefail
cd "$(dirname "$0")/.."

target=$1
mkdir -p "$target"
for file in tests/clients/requirements/*.txt; do
  name=$(basename "$file" .txt)
  [ -x "$target/$name/bin/python" ] || "${PYTHON:-python3}" -m venv "$target/$name"
  "$target/$name/bin/python" -m pip --disable-pip-version-check install --quiet --quiet -r "$file"
done
