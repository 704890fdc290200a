-- Where a host's rhythm broke: the gaps between two of its samples that are longer than one and a half intervals, and how
-- many samples are missing in each. Nothing is printed for a host that never missed one.
--
-- Set the agent's interval here, in seconds: Telegraf's default is 10.
--
-- duckdb -f queries/missing-samples.sql   from the folder that holds archive/

set variable interval_seconds = 10;

with gaps as (
    select host,
           lag(time) over (partition by host order by time) as last_before,
           time as first_after,
           date_diff('millisecond', last_before, time) / 1000.0 as seconds
    from (select distinct host, time from read_parquet('archive/cpu/*.parquet', union_by_name = true))
)
select host,
       last_before,
       first_after,
       seconds,
       round(seconds / getvariable('interval_seconds'))::bigint - 1 as missing_samples
from gaps
where seconds > 1.5 * getvariable('interval_seconds')
order by host, last_before;
