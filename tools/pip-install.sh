#!/usr/bin/env bash
# pip install, its progress on one line: tools/pip-install.sh PIP ARGUMENT…
set -euo pipefail
shopt -s lastpipe # so that the counts of the loop below outlive it
pip=$1
shift
began=$SECONDS fetched=0

show() {
    if [ -t 1 ]; then printf '\r\033[K  %.70s' "$1"; fi
}

PYTHONUNBUFFERED=1 "$pip" install --disable-pip-version-check --no-color --progress-bar off "$@" |
    while read -r word rest; do
        case $word in
        Collecting) show "resolving $rest" ;;
        Downloading) fetched=$((fetched + 1)) && show "fetching $fetched: ${rest%%-*} ${rest##* (}" ;;
        Building) show "building $rest" ;;
        Installing) show "unpacking (half a minute)" ;;
        esac
    done
show ""
if [ -t 1 ]; then printf '\r'; fi
echo "  done in $((SECONDS - began)) s"
