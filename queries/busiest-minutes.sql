-- The twenty busiest minutes: the mean of all hosts, the busiest of them, and what it was busy with.
--
-- duckdb -f queries/busiest-minutes.sql   from the folder that holds archive/

with minutes as (
    select time_bucket(interval '1 minute', time) as minute,
           host,
           avg(100 - usage_idle) as busy,
           avg(usage_user) as user,
           avg(usage_system) as system,
           avg(usage_iowait) as iowait
    from read_parquet('archive/cpu/*.parquet', union_by_name = true)
    where cpu = 'cpu-total'
    group by minute, host
)
select minute,
       round(avg(busy), 2) as mean_percent,
       arg_max(host, busy) as busiest_host,
       round(max(busy), 2) as busiest_percent,
       round(arg_max(user, busy), 2) as user_percent,
       round(arg_max(system, busy), 2) as system_percent,
       round(arg_max(iowait, busy), 2) as iowait_percent
from minutes
group by minute
order by mean_percent desc, minute
limit 20;
