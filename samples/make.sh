#!/bin/sh
# Makes the bundled sample archives from the original scenes: sh samples/make.sh FOLDER-OF-SCENES
# Contains modified Copernicus Sentinel data 2015-2021.
set -eu
data=$1
here=$(cd "$(dirname "$0")" && pwd)
bin=$here/../.venv/bin
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
rm -f "$here"/*.zarr.zip

# The lake in Africa is clear and the largest: the viewer begins with it. Its date is unknown.
"$bin/comeo" compress "$data/scenes/S2_UTM37N_12bands_30m.tif" --output "$here" --id S2_UTM37N_lake --ratio 100

# Of the scene in Switzerland the five and a half kilometres with the fewest clouds.
"$bin/rio" clip "$data/scenes/S2A_20190530_T32TMT_L2A_10bands.tif" "$made/S2A_20190530_T32TMT_L2A.tif" \
    --bounds "472480 5246500 477960 5251980"
"$bin/comeo" compress "$made/S2A_20190530_T32TMT_L2A.tif" --output "$here" --id S2A_T32TMT_20190530_L2A \
    --bands B02,B03,B04,B05,B06,B07,B08,B8A,B11,B12 --ratio 100

# A kilometre of forest over five years, in which gaps are felled and a road is built: of each month the clearest date,
# and of each season the cloudiest, since clouds are part of any series. So small a chip is mostly metadata, so that a
# ratio says nothing of it: it is coded finely, for curves of single pixels.
chips=$(printf "$data/timeseries/romania/S2_romania_%s.tif " \
    2015-08-11 2015-08-31 2016-03-18 2016-04-27 2016-05-07 2016-06-16 2016-08-05 2016-08-15 2016-08-25 \
    2016-09-24 2016-10-14 2016-12-03 2016-12-13 2017-01-02 2017-03-03 2017-04-12 2017-05-22 2017-06-06 \
    2017-07-01 2017-08-05 2017-09-14 2017-10-04 2017-11-23 2017-11-28 2017-12-08 2018-01-07 2018-02-16 \
    2018-03-13 2018-03-28 2018-04-12 2018-05-02 2018-05-07 2018-06-06 2018-07-01 2018-08-25 2018-09-19 \
    2018-10-04 2018-10-29 2018-11-08 2019-02-01 2019-02-16 2019-03-28 2019-04-07 2019-06-16 2019-07-01 \
    2019-08-20 2019-08-25 2019-09-19 2019-10-09 2019-11-23 2020-02-06 2020-02-16 2020-03-17 2020-04-16 \
    2020-05-06 2020-05-11 2020-06-30 2020-07-05 2020-08-04 2020-09-13 2020-09-18 2020-10-03 2020-11-22 \
    2020-12-22 2021-01-01)
# shellcheck disable=SC2086  # names without blanks
"$bin/comeo" compress $chips --output "$here" --collection romania-forest --preset vegetation --step 200

# No Sentinel-1 data may be bundled: two dates are simulated over the ground of T32TMT, and named so.
"$bin/python" "$here/simulate_radar.py" "$here/S2A_T32TMT_20190530_L2A.zarr.zip" "$made"
for day in 2019-05-30 2019-06-11; do
    "$bin/comeo" compress "$made/simulated_radar_$day.tif" --output "$here" --id "simulated_radar_$day" \
        --collection simulated-radar --quantity sigma0 --ratio 100
done
