#!/bin/sh
# Makes the Python environment of the controller, and the path under which Ansible finds this checkout.
set -eu
venv=$1 checkout=$2
link=$checkout/ansible_collections/llmops/langfuse
mkdir -p "$(dirname "$link")"
[ "$(readlink "$link" 2>/dev/null)" = "$PWD" ] || ln -sfn "$PWD" "$link"
[ -e "$venv/.complete" ] && exit 0

find_python() {
    for candidate in python3.13 python3.12 python3.14 python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python /usr/bin/python3; do
        found=$(command -v "$candidate" 2>/dev/null) || continue
        "$found" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && { echo "$found"; return; }
    done
}
python=$(find_python) || true
if [ -z "$python" ]; then
    echo "No Python 3.12 or newer with its venv module was found. Debian 13: apt-get install python3-venv" >&2
    exit 1
fi
# Two checkouts may share it: the second waits, and finds it made.
exec 9>"$venv.lock"
flock 9
[ -e "$venv/.complete" ] && exit 0
echo "Making the Python environment with $("$python" --version) (about half a minute, once) ..."
rm -rf "$venv"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9
"$venv/bin/uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" --requirement requirements/development.txt
touch "$venv/.complete"
