-- How busy the fleet was, day by day: the median and the percentiles that capacity is planned by, over all samples of all hosts, and
-- the host whose own 95th percentile was the highest.
--
-- duckdb -f queries/percentiles-by-day.sql        from the folder that holds archive/

with samples as (
    select time::date as day, host, 100 - usage_idle as busy
    from read_parquet('archive/cpu/*.parquet', union_by_name = true)
    where cpu = 'cpu-total' and usage_idle is not null
),
hosts as (select day, host, quantile_cont(busy, 0.95) as p95 from samples group by day, host),
worst as (select day, arg_min(host, (-p95, host)) as host, max(p95) as p95 from hosts group by day)
select day,
       count(distinct samples.host) as hosts,
       count(*) as samples,
       round(quantile_cont(busy, 0.50), 2) as p50,
       round(quantile_cont(busy, 0.95), 2) as p95,
       round(quantile_cont(busy, 0.99), 2) as p99,
       any_value(worst.host) as worst_host,
       round(any_value(worst.p95), 2) as its_p95
from samples
join worst using (day)
group by day
order by day;
