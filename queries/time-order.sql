-- Proof that the archive is in time order: rows of each day file whose time lies before that of the row above them.
-- Expect 0 in out_of_order and, in an archive whose days are UTC days, in on_the_wrong_day.
--
-- duckdb -f queries/time-order.sql        from the folder that holds archive/

select url_decode(split_part(filename, '/', -2)) as measurement,
       parse_filename(filename, true) as day,
       count(*) as "rows",
       min(time) as first,
       max(time) as last,
       count(*) filter (where time < time_above) as out_of_order,
       count(*) filter (where time::date::varchar <> parse_filename(filename, true)) as on_the_wrong_day
from (select filename, time, lag(time) over (partition by filename order by file_row_number) as time_above
      from read_parquet('archive/[!_]*/*.parquet', union_by_name = true, filename = true, file_row_number = true))
group by filename
order by measurement, day;
