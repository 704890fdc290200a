-- One view for each measurement of the archive, with all of its days: cpu, mem, disk, ...
--
-- To look around:      duckdb -init queries/views.sql
-- To list them only:   duckdb -f queries/views.sql
--
-- Run it from the folder that holds archive/. Days may differ in columns: union_by_name gives a day that lacks one nulls
-- in it. A folder's name is the measurement's, percent-encoded. DuckDB can't make a view whose name it has computed, so
-- the statements go through a file, which is removed again.

.bail on
copy (
    select format('create or replace view "{}" as from read_parquet(''{}/*.parquet'', union_by_name = true);',
                  replace(url_decode(split_part(folder, '/', -1)), '"', '""'), folder)
    from (select distinct parse_dirpath(file) as folder from glob('archive/[!_]*/*.parquet'))
    order by folder
) to '.diurnal-views.sql' (format csv, header false, quote '', delimiter '\t');
.read .diurnal-views.sql
.shell rm .diurnal-views.sql

select view_name as measurement, column_count as "columns"
from duckdb_views()
where not internal
order by measurement;
