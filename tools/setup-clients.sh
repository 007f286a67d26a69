#!/usr/bin/env bash
# Install each client of tests/clients into an environment of its own: they clash with one another.
#
#   PYTHON=.venv/bin/python tools/setup-clients.sh .venv/clients    makes .venv/clients/triton_http and so on
#
# The pip of that Python installs into all of them, and compiles nothing: a test uses a tenth of the modules.
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-python3}"
target=$1
mkdir -p "$target"
for file in tests/clients/requirements/*.txt; do
  name=$(basename "$file" .txt)
  [ -x "$target/$name/bin/python" ] || "$python" -m venv --without-pip "$target/$name"
  "$python" -m pip --disable-pip-version-check --python "$target/$name/bin/python" \
    install --quiet --quiet --no-compile -r "$file"
done
