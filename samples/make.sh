#!/bin/sh
# Makes the bundled sample archives from the original scenes: sh samples/make.sh FOLDER-OF-SCENES
# Contains modified Copernicus Sentinel data 2016-2020.
set -eu
data=$1
here=$(dirname "$0")
comeo=$here/../.venv/bin/comeo
python=$here/../.venv/bin/python

"$comeo" compress "$data/scenes/S2A_20190530_T32TMT_L2A_10bands.tif" --output "$here" --force \
    --id S2A_T32TMT_20190530_L2A --ratio 100

# The chips and the lake are too small for a ratio to mean anything: metadata would be most of it. The step that
# gave T32TMT its ratio gives them the same quality.
step=$("$comeo" info --json "$here/S2A_T32TMT_20190530_L2A.zarr.zip" |
    "$python" -c 'import json, sys; print(json.load(sys.stdin)["step"])')

"$comeo" compress "$data/scenes/S2_UTM37N_12bands_30m.tif" --output "$here" --force \
    --id S2_UTM37N_lake --step "$step"

for day in 2016-08-15 2017-04-12 2017-07-01 2017-09-14 2018-05-02 2018-08-25 2019-04-07 2019-07-01 2019-09-19 \
    2020-05-16 2020-07-10 2020-09-13; do
    "$comeo" compress "$data/timeseries/romania/S2_romania_$day.tif" --output "$here" --force \
        --id "S2_romania_$day" --collection romania-forest --step "$step"
done

# No Sentinel-1 data may be bundled: two dates are simulated over the ground of T32TMT, and named so.
simulated=$(mktemp -d)
trap 'rm -rf "$simulated"' EXIT
"$python" "$here/simulate_radar.py" "$here/S2A_T32TMT_20190530_L2A.zarr.zip" "$simulated"
for day in 2019-05-30 2019-06-11; do
    "$comeo" compress "$simulated/simulated_radar_$day.tif" --output "$here" --force --id "simulated_radar_$day" \
        --collection simulated-radar --quantity sigma0 --ratio 100
done
