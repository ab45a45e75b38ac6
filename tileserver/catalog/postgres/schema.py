"""The tables of a catalogue in PostgreSQL. They need no extension.

They lie in a schema of their own that is not called after a likely user: `comeo` would come first in the
search path of a user of that name, and geoservices would make their tables in it.
"""
# ruff: noqa: E501, S608

from typing import Final

VERSION: Final = 3
SCHEMA: Final = "comeo_catalog"
UNKNOWN_OLDEST: Final = -(1 << 63)
"""Stands for an unknown time where the newest come first."""
UNKNOWN_NEWEST: Final = (1 << 63) - 1
"""And where the oldest do."""
NEWEST: Final = f"coalesce(datetime, {UNKNOWN_OLDEST})"
OLDEST: Final = f"coalesce(datetime, {UNKNOWN_NEWEST})"
CHANNEL: Final = "comeo_catalog"
"""NOTIFY tells the number of the latest change there; the table `change` has them."""
TABLES: Final = ("documents", "items", "bins", "kinds", "files", "refused", "change", "journal", "state")
_FUNCTIONS: Final = ("number_of(jsonb)", "text_of(jsonb)", "list_of(jsonb)", "scenes_come()", "scenes_go()")


def property_columns(value: str, *, down: bool) -> tuple[tuple[str, bool, str], ...]:
    """What to sort by for a property: never null, scenes without it last, numbers before texts.

    Args:
        value: SQL of the property as JSON, whose values are bound once for each column.
        down: Whether the greatest comes first.

    Returns:
        Of each column SQL, whether its greatest comes first, and its type.
    """
    limit = "'-Infinity'" if down else "'Infinity'"
    number = (f"coalesce(number_of({value}), {limit})", down, "double precision")
    missing = (f"(text_of({value}) IS NULL)", False, "boolean")
    text = (f"coalesce(text_of({value}), '') COLLATE \"C\"", down, "text")
    return (missing, text, number) if down else (number, missing, text)


def _index(value: str, *, down: bool) -> str:
    """Columns of an index that has a property in order."""
    columns = [
        f"({text}) {'DESC' if falls else 'ASC'}" for text, falls, _ in property_columns(value, down=down)
    ]
    return ", ".join([*columns, "collection", "id"])


BIN: Final = "floor(west + 180)::integer"
"""Scenes that begin within one degree are summed up together: no gap between scenes that wide is lost."""
BINS: Final = f"""
    SELECT kind, {BIN} AS bin, count(*) AS scenes, min(west) AS west, min(south) AS south,
    max(east + CASE WHEN east < west THEN 360 ELSE 0 END) AS east, max(north) AS north,
    min(datetime) AS oldest, max(datetime) AS latest
"""
_CLOUDS: Final = "properties -> 'eo:cloud_cover'"
DROP: Final = f"""
DROP TABLE IF EXISTS {", ".join(f"{SCHEMA}.{table}" for table in TABLES)};
DROP FUNCTION IF EXISTS {", ".join(f"{SCHEMA}.{function}" for function in _FUNCTIONS)};
"""  # never the schema itself with all that is in it: somebody may have put more there
CREATE: Final = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
SET LOCAL search_path = {SCHEMA}, pg_catalog;

CREATE TABLE state ( -- one row
    version integer NOT NULL, roots text NOT NULL, complete boolean NOT NULL DEFAULT false, looked_at timestamptz
);
CREATE TABLE journal ( -- one row, which is locked by whoever writes
    epoch text NOT NULL, history text NOT NULL, -- of the server's write-ahead log, when the epoch began
    last bigint NOT NULL, -- number of the latest change
    forgotten bigint NOT NULL, -- that of the latest one that is no longer told
    revision bigint NOT NULL, scenes bigint NOT NULL -- how many there are
);
CREATE TABLE change ( -- the latest change of each scene; without etag it has gone
    seq bigint PRIMARY KEY, collection text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
    etag text, bytes bigint, datetime bigint, UNIQUE (collection, id)
);
CREATE INDEX gone ON change (seq) WHERE etag IS NULL;
CREATE TABLE files (
    path text COLLATE "C" PRIMARY KEY, signature text NOT NULL, error text,
    twin boolean NOT NULL -- where another archive has the same id, and that is the error
);
CREATE INDEX files_broken ON files (path) WHERE error IS NOT NULL;
CREATE TABLE refused ( -- archives that cannot be read, wherever they lie
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    size bigint NOT NULL, digest text NOT NULL, error text NOT NULL, UNIQUE (size, digest)
);
CREATE TABLE kinds ( -- what scenes have in common, under a digest of just that
    kind uuid PRIMARY KEY, collection text COLLATE "C" NOT NULL, bands text NOT NULL, crs text,
    facts jsonb NOT NULL -- properties that collections are summed up by
);
CREATE INDEX kinds_by_collection ON kinds (collection);
CREATE FUNCTION number_of(value jsonb) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(value) WHEN 'number' THEN value::double precision END
$$;
CREATE TABLE items (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path text COLLATE "C" NOT NULL UNIQUE, signature text NOT NULL,
    collection text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
    datetime bigint, -- microseconds since 1970, null where it is unknown
    west double precision NOT NULL, south double precision NOT NULL,
    east double precision NOT NULL, north double precision NOT NULL,
    extent box NOT NULL GENERATED ALWAYS AS ( -- goes on beyond 180 across the antimeridian
        box(point(west, south), point(east + CASE WHEN east < west THEN 360 ELSE 0 END, north))
    ) STORED,
    etag text NOT NULL, bytes bigint, kind uuid NOT NULL REFERENCES kinds,
    footprint bytea, -- WKB; null where it is the box
    properties jsonb NOT NULL, folded jsonb NOT NULL, -- texts that case folding changes, folded
    clouds double precision GENERATED ALWAYS AS (number_of({_CLOUDS})) STORED, -- asked for by most searches
    UNIQUE (collection, id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02); -- what has been vacuumed is not looked up beside an index
CREATE INDEX items_by_id ON items (id);
CREATE INDEX items_by_place ON items USING gist (extent) -- has all of a record, so that tiles read nothing else
    INCLUDE (collection, id, datetime, west, south, east, north, path, signature, etag, kind);
CREATE INDEX items_newest ON items (({NEWEST}) DESC, collection, id);
CREATE INDEX items_oldest ON items (({OLDEST}), collection, id);
CREATE INDEX items_by_collection ON items (collection, ({NEWEST}) DESC, id);
CREATE INDEX items_by_kind ON items (kind, ({NEWEST}) DESC);
CREATE INDEX items_by_bin ON items (kind, ({BIN}));
CREATE TABLE bins ( -- all scenes summed up, as triggers keep it
    kind uuid NOT NULL REFERENCES kinds, bin integer NOT NULL, scenes bigint NOT NULL,
    west double precision NOT NULL, south double precision NOT NULL,
    east double precision NOT NULL, -- goes on beyond 180 across the antimeridian
    north double precision NOT NULL, oldest bigint, latest bigint, PRIMARY KEY (kind, bin)
);
CREATE TABLE documents ( -- as they were read, to the order of their members
    number bigint PRIMARY KEY REFERENCES items ON DELETE CASCADE, item text NOT NULL, info text NOT NULL
);

CREATE FUNCTION text_of(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(value) NOT IN ('number', 'null') THEN value #>> '{{}}' END
$$;
CREATE FUNCTION list_of(value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(value) WHEN 'array' THEN value WHEN 'string' THEN jsonb_build_array(value) END
$$;
CREATE INDEX items_by_clouds ON items (clouds) -- with what else is asked, so that scenes are counted by it alone
    INCLUDE (collection, datetime, west, south, east, north);
CREATE INDEX items_least_clouded ON items ({_index(_CLOUDS, down=False)});
CREATE INDEX items_most_clouded ON items ({_index(_CLOUDS, down=True)});

CREATE FUNCTION scenes_come() RETURNS trigger LANGUAGE plpgsql SET search_path = {SCHEMA}, pg_catalog AS $$
DECLARE latest bigint;
BEGIN
    UPDATE journal SET last = last + (SELECT count(*) FROM coming), scenes = scenes + (SELECT count(*) FROM coming)
        RETURNING last INTO latest;
    INSERT INTO change
        SELECT latest + 1 - row_number() OVER (ORDER BY number DESC), collection, id, etag, bytes, datetime
        FROM coming
        ON CONFLICT (collection, id) DO UPDATE SET
            seq = excluded.seq, etag = excluded.etag, bytes = excluded.bytes, datetime = excluded.datetime;
    INSERT INTO bins {BINS} FROM coming GROUP BY kind, bin
        ON CONFLICT (kind, bin) DO UPDATE SET
            scenes = bins.scenes + excluded.scenes,
            west = least(bins.west, excluded.west), south = least(bins.south, excluded.south),
            east = greatest(bins.east, excluded.east), north = greatest(bins.north, excluded.north),
            oldest = least(bins.oldest, excluded.oldest), latest = greatest(bins.latest, excluded.latest);
    PERFORM pg_notify('{CHANNEL}', latest::text);
    RETURN NULL;
END $$;
CREATE FUNCTION scenes_go() RETURNS trigger LANGUAGE plpgsql SET search_path = {SCHEMA}, pg_catalog AS $$
DECLARE latest bigint;
BEGIN
    UPDATE journal SET last = last + (SELECT count(*) FROM going), scenes = scenes - (SELECT count(*) FROM going)
        RETURNING last INTO latest;
    INSERT INTO change
        SELECT latest + 1 - row_number() OVER (ORDER BY number DESC), collection, id, NULL, NULL, NULL
        FROM going
        ON CONFLICT (collection, id) DO UPDATE SET seq = excluded.seq, etag = NULL, bytes = NULL, datetime = NULL;
    DELETE FROM bins USING going WHERE bins.kind = going.kind AND bins.bin = floor(going.west + 180)::integer;
    INSERT INTO bins {BINS} FROM items
        WHERE (kind, {BIN}) IN (SELECT kind, {BIN} FROM going) GROUP BY kind, bin;
    PERFORM pg_notify('{CHANNEL}', latest::text);
    RETURN NULL;
END $$;
CREATE TRIGGER scenes_come AFTER INSERT ON items
    REFERENCING NEW TABLE AS coming FOR EACH STATEMENT EXECUTE FUNCTION scenes_come();
CREATE TRIGGER scenes_go AFTER DELETE ON items
    REFERENCING OLD TABLE AS going FOR EACH STATEMENT EXECUTE FUNCTION scenes_go();
"""
