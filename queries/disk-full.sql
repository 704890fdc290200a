-- When each file system will be full: the straight line through the last seven days of what was used (least squares), and the day on
-- which it reaches the size. Null for one that does not grow.
--
-- duckdb -f queries/disk-full.sql         from the folder that holds archive/

set variable days = 7;

set variable since = (
    select max(time) - to_days(getvariable('days')::integer)
    from read_parquet('archive/disk/*.parquet', union_by_name = true));

with disks as (
    select host, path,
           max(time) as last_time,
           arg_max(used, time) as last_used,
           -- Where root alone may use the last blocks, used and free are less than total.
           arg_max(used + free, time) as size,
           regr_slope(used, epoch_ns(time) / 86400e9) as bytes_a_day
    from read_parquet('archive/disk/*.parquet', union_by_name = true)
    where time > getvariable('since') and used is not null
    group by host, path
)
select host,
       path,
       round(100.0 * last_used / size, 1) as used_percent,
       format_bytes(size::bigint) as size,
       round(bytes_a_day / 1073741824, 2) as gib_a_day,
       case when bytes_a_day > 0 then round((size - last_used) / bytes_a_day, 1) end as days_left,
       -- Within a century; beyond that the line means nothing.
       case when bytes_a_day > 0 and (size - last_used) / bytes_a_day < 36525
            then (last_time::timestamp + to_hours(((size - last_used) / bytes_a_day * 24)::bigint))::date end as full_on
from disks
order by days_left nulls last, host, path;
