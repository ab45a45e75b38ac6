#!/usr/bin/env bash
# Try a wheel in a fresh environment, first without the server, then with it: tools/try-wheel.sh PYTHON WHEEL
set -euo pipefail
python=$1
wheel=$(realpath "$2")
root=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$place"' EXIT
cd "$place"

fail() {
    echo "the wheel is not sound: $1" >&2
    exit 1
}

if "$python" -m zipfile -l "$wheel" | grep -E '^(training|tests|benchmarks|tools|wasm)/|[.][ch]$'; then
    fail "it carries what is not for users"
fi
"$python" -m venv env
echo "Installing $(basename "$wheel") without the server"
"$root/tools/pip-install.sh" env/bin/pip -c "$root/constraints.txt" "$wheel[cpu]"
comeo=env/bin/comeo
sample=$root/samples/S2_UTM37N_lake.zarr.zip
"$comeo" --help >help.txt
grep -q compress help.txt || fail "comeo --help names no commands"
env/bin/python -c 'import comeo; print("comeo", comeo.__version__, *comeo.codec_names())'
"$comeo" codecs >codecs.txt
grep -q "decoded by compiled code" codecs.txt || fail "it has no compiled decoder that works here: $(cat codecs.txt)"
"$comeo" info "$root/samples/S2_romania_2016-08-15.zarr.zip" >info.txt
"$comeo" extract "$root/samples/S2_romania_2016-08-15.zarr.zip" -o scene.tif
"$comeo" compress scene.tif -o made.zarr.zip --codec dct --step 50
"$comeo" info made.zarr.zip >info.txt
if "$comeo" serve . 2>message.txt; then fail "comeo serve ran without Flask"; fi
grep -qF "comeo[server]" message.txt || fail "comeo serve does not say what to install: $(cat message.txt)"

echo "Installing the server beside it"
"$root/tools/pip-install.sh" env/bin/pip -c "$root/constraints.txt" "$wheel[cpu,server]"
"$comeo" info "$sample" >info.txt
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$comeo" serve "$root/samples" made.zarr.zip --port "$port" --workers 1 2>server.txt &
server=$!
"$python" - "$port" <<'END' || fail "the server does not answer: $(cat server.txt)"
import sys, time, urllib.error, urllib.request

for _ in range(120):
    try:
        base = f"http://127.0.0.1:{sys.argv[1]}"
        for path in ("/healthz", "/", "/stac/search", "/openapi.json"):
            with urllib.request.urlopen(base + path, timeout=30) as answer:
                print(path, answer.status, len(answer.read()), "bytes")
        break
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ConnectionRefusedError):
            raise
        time.sleep(0.5)
else:
    sys.exit(1)
END
echo "$(basename "$wheel") works"
