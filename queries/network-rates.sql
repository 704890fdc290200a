-- Network traffic from counters: bytes a second that each interface received and sent, the busiest hour, and what it was then. A counter
-- that went down was reset (the host started anew): what it shows then is what was counted since, not a negative rate.
--
-- duckdb -f queries/network-rates.sql     from the folder that holds archive/

with counters as (
    select host, interface, time, bytes_recv, bytes_sent,
           lag(time) over series as time_before,
           lag(bytes_recv) over series as recv_before,
           lag(bytes_sent) over series as sent_before
    from read_parquet('archive/net/*.parquet', union_by_name = true)
    where bytes_recv is not null and bytes_sent is not null
    window series as (partition by host, interface order by time)
),
steps as (
    select host, interface, date_trunc('hour', time) as hour,
           date_diff('millisecond', time_before, time) / 1000.0 as seconds,
           case when bytes_recv >= recv_before then bytes_recv - recv_before else bytes_recv end as received,
           case when bytes_sent >= sent_before then bytes_sent - sent_before else bytes_sent end as sent,
           bytes_recv < recv_before or bytes_sent < sent_before as was_reset
    from counters
    where time_before < time
),
hours as (
    select host, interface, hour, sum(seconds) as seconds, sum(received) as received, sum(sent) as sent,
           count(*) filter (where was_reset) as resets
    from steps
    group by all
)
select host,
       interface,
       round(sum(received) / sum(seconds))::bigint as received_per_s,
       round(sum(sent) / sum(seconds))::bigint as sent_per_s,
       arg_min(hour, (-(received + sent) / seconds, hour)) as busiest_hour,
       round(max((received + sent) / seconds))::bigint as busiest_per_s,
       sum(resets)::bigint as resets
from hours
group by host, interface
order by received_per_s + sent_per_s desc, host, interface;
