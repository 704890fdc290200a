-- The ten busiest hosts: the mean, the median and the 95th percentile of how busy they were, and the share of their samples that were
-- above four fifths.
--
-- duckdb -f queries/top-hosts.sql         from the folder that holds archive/

set variable high_percent = 80.0;

with samples as (
    select host, time, 100 - usage_idle as busy
    from read_parquet('archive/cpu/*.parquet', union_by_name = true)
    where cpu = 'cpu-total' and usage_idle is not null
)
select host,
       count(*) as samples,
       round(avg(busy), 2) as mean_percent,
       round(median(busy), 2) as median_percent,
       round(quantile_cont(busy, 0.95), 2) as p95_percent,
       round(max(busy), 2) as busiest_percent,
       arg_min(time, (-busy, time)) as busiest_at,
       round(100.0 * count(*) filter (where busy > getvariable('high_percent')) / count(*), 2) as share_high_percent
from samples
group by host
order by mean_percent desc, host
limit 10;
