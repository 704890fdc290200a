-- Hosts that came close to the end of their memory: the lowest share that was available, when, and for how long it was
-- below a tenth.
--
-- duckdb -f queries/memory-pressure.sql   from the folder that holds archive/

set variable low_percent = 10.0;

with samples as (
    -- How long a sample holds: until the next one of its host, a minute at most, so that a host that was off counts nothing.
    select host, time, available_percent, available, total,
           least(date_diff('second', time, lead(time) over (partition by host order by time)), 60) as seconds
    from read_parquet('archive/mem/*.parquet', union_by_name = true)
    where available_percent is not null
)
select host,
       round(min(available_percent), 2) as least_available_percent,
       format_bytes(arg_min(available, available_percent)) as least_available,
       format_bytes(max(total)) as total,
       arg_min(time, (available_percent, time)) as at,
       round(coalesce(sum(seconds) filter (where available_percent < getvariable('low_percent')), 0) / 60.0, 1)
           as minutes_low
from samples
group by host
order by least_available_percent;
