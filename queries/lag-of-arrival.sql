-- How late data came, by the ledger, which has the time of each commit (at): the rows that each commit added, and how old the newest of
-- them was. Late are those of days that had ended when the commit before was made: that one could have had them, had they been there.
-- How late they are at most is counted from the end of their day.
--
-- Days are taken as UTC days. Rows that only took the place of others (a type that was set) were not added. Commits of the first
-- versions have no time and are left out, and a day that was pruned keeps its figures.
--
-- duckdb -f queries/lag-of-arrival.sql    from the folder that holds archive/

with commits as (
    select unnest("commit")
    from read_json('archive/_diurnal/ledger-*.jsonl', format = 'newline_delimited', maximum_object_size = 1073741824,
                   columns = {'commit': 'STRUCT(
                       id UBIGINT,
                       command VARCHAR,
                       "at" TIMESTAMP,
                       days STRUCT(measurement VARCHAR, "day" VARCHAR, "rows" BIGINT, "last" BIGINT)[])'})
    where "commit" is not null
),
entries as (
    select id, command, "at", previous, unnest(days, recursive := true)
    from (select *, lag("at") over (order by id) as previous from commits)
),
steps as (
    select id, command, "at", measurement, "day", make_timestamp_ns("last") as newest,
           "rows" - lag("rows", 1, 0) over (partition by measurement, "day" order by id) as added,
           "day"::date + interval 1 day as day_end,
           previous is not null and day_end <= previous as is_late
    from entries
)
select id as "commit",
       command,
       "at" as committed_at,
       sum(added)::bigint as rows_added,
       round(min(date_diff('second', newest, "at")) / 60.0, 1) as newest_older_by_minutes,
       coalesce(sum(added) filter (where is_late), 0)::bigint as late_rows,
       round(max(date_diff('minute', day_end, "at")) filter (where is_late) / 60.0, 1) as late_by_hours,
       list(distinct "day" order by "day") filter (where is_late) as late_days
from steps
where added > 0 and "at" is not null
group by all
order by id;
