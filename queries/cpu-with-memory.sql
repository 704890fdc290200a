-- What memory looked like when a host was busiest: each host's five busiest samples of cpu, each with the newest sample of mem that is
-- not younger (ASOF JOIN). Agents send the two at times of their own, so equal times can't be asked for; a sample of mem that is older
-- than a minute tells nothing and is left out.
--
-- duckdb -f queries/cpu-with-memory.sql   from the folder that holds archive/

set variable seconds = 60;

with cpu as (
    select host, time, 100 - usage_idle as busy
    from read_parquet('archive/cpu/*.parquet', union_by_name = true)
    where cpu = 'cpu-total' and usage_idle is not null
    qualify row_number() over (partition by host order by busy desc, time) <= 5
),
mem as (
    select host, time as mem_time, used_percent, available
    from read_parquet('archive/mem/*.parquet', union_by_name = true)
)
select cpu.host,
       cpu.time,
       round(busy, 2) as busy_percent,
       date_diff('millisecond', mem_time, cpu.time) / 1000.0 as mem_is_older_by_s,
       round(used_percent, 2) as memory_used_percent,
       format_bytes(available::bigint) as memory_available
from cpu
asof left join mem on cpu.host = mem.host and cpu.time >= mem.mem_time
where mem_time is null or date_diff('second', mem_time, cpu.time) <= getvariable('seconds')
order by cpu.host, busy desc, cpu.time;
