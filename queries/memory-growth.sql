-- Memory that only grows: the straight line through what each host used (least squares), how well it fits, and in how many days after
-- the last sample it reaches the end of the memory. A leak has a fit (R²) near 1; below a half the line says nothing, so no days are given.
--
-- duckdb -f queries/memory-growth.sql     from the folder that holds archive/

with hosts as (
    select host,
           count(*) as samples,
           arg_max(used, time) as last_used,
           arg_max(total, time) as last_total,
           regr_slope(used, epoch_ns(time) / 86400e9) as bytes_a_day,
           regr_r2(used, epoch_ns(time) / 86400e9) as fit
    from read_parquet('archive/mem/*.parquet', union_by_name = true)
    where used is not null
    group by host
)
select host,
       samples,
       format_bytes(last_used) as used,
       format_bytes(last_total) as total,
       round(bytes_a_day / 1048576, 1) as mib_a_day,
       round(fit, 3) as fit,
       case when bytes_a_day > 0 and fit >= 0.5 then round((last_total - last_used) / bytes_a_day, 1) end as days_left
from hosts
order by mib_a_day desc, host;
