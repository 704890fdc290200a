-- What each measurement costs on disk: days, rows and bytes of both formats, by the ledger. Nothing is opened but the ledger, so it is
-- quick however large the archive is. Files that were pruned count no bytes, and their rows no more where both are gone.
--
-- duckdb -f queries/sizes.sql             from the folder that holds archive/

with entries as (
    select "commit".id as id, unnest("commit".days) as entry
    from read_json('archive/_diurnal/ledger-*.jsonl', format = 'newline_delimited', maximum_object_size = 1073741824,
                   columns = {'commit': 'STRUCT(
                       id UBIGINT,
                       days STRUCT(measurement VARCHAR, "day" VARCHAR, "rows" UBIGINT, parquet STRUCT(bytes UBIGINT),
                                   csv STRUCT(bytes UBIGINT))[])'})
    where "commit" is not null
),
-- The last entry of a day is the whole truth about it.
days as (
    select unnest(arg_max(entry, id)) from entries group by entry.measurement, entry."day"
)
select measurement,
       count(*) as days,
       sum("rows")::bigint as "rows",
       format_bytes(coalesce(sum(parquet.bytes), 0)::bigint) as parquet,
       format_bytes(coalesce(sum(csv.bytes), 0)::bigint) as csv,
       round(sum(parquet.bytes) / sum("rows") filter (where parquet is not null), 2) as parquet_bytes_a_row,
       round(sum(csv.bytes) / sum("rows") filter (where csv is not null), 2) as csv_bytes_a_row,
       format_bytes(max(parquet.bytes)::bigint) as largest_day
from days
where parquet is not null or csv is not null
group by measurement
order by sum(coalesce(parquet.bytes, 0) + coalesce(csv.bytes, 0)) desc, measurement;
