#!/usr/bin/env python3
"""Line protocol in a file -> Parquet sorted by time, with DuckDB's string functions only.

    duckdb_sql.py LINES OUTDIR [VARIANT]      VARIANT: regex (default) | map

What an ad-hoc user writes: the measurements and their fields are known and written down, no quoted
strings and no escapes are expected (`string_split` at spaces and commas would break on both).
One Parquet file per measurement (zstd), ordered by time.
"""
import sys

import duckdb

CPU = ["usage_guest", "usage_guest_nice", "usage_idle", "usage_iowait", "usage_irq", "usage_nice",
       "usage_softirq", "usage_steal", "usage_system", "usage_user"]
MEM_INT = ["active", "available", "buffered", "cached", "commit_limit", "committed_as", "dirty", "free",
           "high_free", "high_total", "huge_page_size", "huge_pages_free", "huge_pages_total", "inactive",
           "low_free", "low_total", "mapped", "page_tables", "shared", "slab", "sreclaimable", "sunreclaim",
           "swap_cached", "swap_free", "swap_total", "total", "used", "vmalloc_chunk", "vmalloc_total",
           "vmalloc_used", "write_back", "write_back_tmp"]
MEM_FLOAT = ["available_percent", "used_percent"]


def col(variant, f, integer):
    kind = "BIGINT" if integer else "DOUBLE"
    if variant == "map":
        v = f"f['{f}']"
        v = f"rtrim({v}, 'i')" if integer else v
    else:
        v = f"regexp_extract(fields, '(?:^|,){f}=([^,]*?){'i' if integer else ''}(?:,|$)', 1)"
    return f'CAST({v} AS {kind}) AS "{f}"'


def main():
    lines, out = sys.argv[1], sys.argv[2]
    variant = sys.argv[3] if len(sys.argv) > 3 else "regex"
    db = duckdb.connect()
    db.execute(f"SET temp_directory='{out}/tmp'")
    source = f"""
      SELECT string_split(line, ' ') AS p
      FROM read_csv('{lines}', columns={{'line': 'VARCHAR'}}, header=false, auto_detect=false,
                    delim='\\x01', quote='', escape='', max_line_size=1048576)
      WHERE line LIKE '{{m}},%'"""
    for m, tags, ints, floats in (("cpu", ["cpu", "host"], [], CPU), ("mem", ["host"], MEM_INT, MEM_FLOAT)):
        cols = [f"regexp_extract(p[1], ',{t}=([^,]+)', 1) AS \"{t}\"" for t in tags]
        cols += [col(variant, f, True) for f in ints] + [col(variant, f, False) for f in floats]
        extra = "p[2] AS fields"
        if variant == "map":
            extra = ("map_from_entries(list_transform(string_split(p[2], ','), lambda kv: "
                     "{'k': string_split(kv, '=')[1], 'v': string_split(kv, '=')[2]})) AS f")
        db.execute(f"""
          COPY (SELECT make_timestamp_ns(CAST(p[3] AS BIGINT)) AS time, {', '.join(cols)}
                FROM (SELECT p, {extra} FROM ({source.replace('{m}', m)}))
                ORDER BY time)
          TO '{out}/{m}.parquet' (FORMAT parquet, COMPRESSION zstd)""")
    n = [db.execute(f"SELECT count(*) FROM '{out}/{m}.parquet'").fetchone()[0] for m in ("cpu", "mem")]
    print(f'{{"cpu":{n[0]},"mem":{n[1]},"variant":"{variant}","duckdb":"{duckdb.__version__}"}}')


if __name__ == "__main__":
    main()
