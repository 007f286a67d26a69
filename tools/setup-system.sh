#!/usr/bin/env bash
# Install what the virtual environment and the tests need from the system.
#
#   make setup
#
# python3-venv   makes .venv
# git            a test clones what is committed
# strace         a test proves that no plaintext is written to a disk
# util-linux     setpriv: the attacks "as another user" need a second uid
# bsdextrautils  column, for the help text of make
# golang-go, golang-golang-x-mod-dev
#                a test lets a verifier that is not ours check the log
# postgresql     the server, for the tests of the broker; they start their own, and need none that runs
# systemd        systemd-analyze: a test checks the unit of the service; no systemd runs
# softhsm2       a hardware token in software, for the tests of PKCS#11
set -euo pipefail

missing=()
"${PYTHON:-python3}" -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v git >/dev/null || missing+=(git)
command -v strace >/dev/null || missing+=(strace)
command -v setpriv >/dev/null || missing+=(util-linux)
command -v column >/dev/null || missing+=(bsdextrautils)
command -v go >/dev/null || missing+=(golang-go)
[ -d /usr/share/gocode/src/golang.org/x/mod/sumdb ] || missing+=(golang-golang-x-mod-dev)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
command -v softhsm2-util >/dev/null || missing+=(softhsm2)
command -v systemd-analyze >/dev/null || missing+=(systemd)

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: every system package is there"
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "setup: missing ${missing[*]}; run 'make setup' as root on Debian, or install them your way" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
echo "setup: installed ${missing[*]}"
