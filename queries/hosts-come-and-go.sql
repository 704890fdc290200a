-- Hosts that are new and hosts that are gone: the first and the last sample of each, in any measurement. New is who was first seen more
-- than a day after the archive begins, gone who was last seen more than an hour before it ends. Hosts that were always there are left out.
--
-- duckdb -f queries/hosts-come-and-go.sql         from the folder that holds archive/

set variable new_after_hours = 24;
set variable gone_for_hours = 1;

with hosts as (
    select host, min(time) as first_seen, max(time) as last_seen, count(distinct time::date) as days
    from read_parquet('archive/[!_]*/*.parquet', union_by_name = true)
    where host is not null
    group by host
),
archive as (select min(first_seen) as first, max(last_seen) as last from hosts)
select host,
       concat_ws(', ',
                 case when first_seen > first + to_hours(getvariable('new_after_hours')) then 'new' end,
                 case when last_seen < last - to_hours(getvariable('gone_for_hours')) then 'gone' end) as change,
       first_seen,
       last_seen,
       days
from hosts, archive
where change <> ''
order by first_seen, host;
