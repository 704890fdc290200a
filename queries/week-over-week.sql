-- This week against the one before: the last seven days of each host, hour by hour, against the same hours seven days earlier. Only
-- hours that have samples in both weeks count, so a host that was off for a day is not taken for an idle one.
--
-- duckdb -f queries/week-over-week.sql    from the folder that holds archive/

with hours as (
    select host, date_trunc('hour', time) as hour, avg(100 - usage_idle) as busy
    from read_parquet('archive/cpu/*.parquet', union_by_name = true)
    where cpu = 'cpu-total' and usage_idle is not null
    group by all
),
pairs as (
    select host, this.hour, this.busy, before.busy as busy_before, this.busy - before.busy as change
    from hours this
    join hours before using (host)
    where before.hour = this.hour - interval 7 days
      and this.hour > (select max(hour) from hours) - interval 7 days
)
select host,
       count(*) as hours,
       round(avg(busy), 2) as this_week_percent,
       round(avg(busy_before), 2) as week_before_percent,
       round(avg(change), 2) as change,
       arg_min(hour, (-change, hour)) as grew_most_in,
       round(max(change), 2) as by_points
from pairs
group by host
order by change desc, host;
