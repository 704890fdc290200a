-- How busy each host was, hour by hour: the mean over all of its CPUs, and the busiest sample.
--
-- duckdb -f queries/cpu-by-hour.sql       from the folder that holds archive/

select date_trunc('hour', time) as hour,
       host,
       round(avg(100 - usage_idle), 2) as mean_percent,
       round(max(100 - usage_idle), 2) as busiest_percent,
       count(*) as samples
from read_parquet('archive/cpu/*.parquet', union_by_name = true)
where cpu = 'cpu-total'
group by all
order by hour, host;
