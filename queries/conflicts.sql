-- Points that were given different values for a field: each has a row for each value, and here the fields that differ are listed with
-- all of theirs, as text. For another measurement change the name below; its tags are those of its schema.
--
-- duckdb -f queries/conflicts.sql         from the folder that holds archive/

set variable measurement = 'mem';

-- `name = "..."`, or `name = '...'` where the name has quotes, follows on each [[tag]].
set variable tags = (
    select list_transform(regexp_extract_all(content, '\[\[tag\]\]\s+name = (?:"(?:[^"\\]|\\.)*"|''[^'']*'')'),
                          lambda found: regexp_replace(found, '^\[\[tag\]\]\s+name = .|.$', '', 'g'))
    from read_text(format('archive/_diurnal/schema/{}.toml', getvariable('measurement'))));
set variable rows = format('read_parquet(''archive/{}/*.parquet'', union_by_name = true)', getvariable('measurement'));
set variable columns = (
    select list(column_name) from (describe select * from query('from ' || getvariable('rows'))));
-- What makes a point, and what it was given, as lists of quoted names. A tag that no day has yet is no column.
set variable keys = (
    select string_agg(format('"{}"', replace(name, '"', '""')), ', ')
    from (select unnest(getvariable('columns')) as name)
    where name = 'time' or list_contains(getvariable('tags'), name));
set variable fields = (
    select string_agg(format('"{0}"::varchar as "{0}"', replace(name, '"', '""')), ', ')
    from (select unnest(getvariable('columns')) as name)
    where name <> 'time' and not list_contains(getvariable('tags'), name));

from query(format(
    'select {0}, field, list(distinct value order by value) as "values"
     from (unpivot (select {0}, {1} from {2}) on columns(* exclude ({0})) into name field value value)
     group by {0}, field
     having count(distinct value) > 1
     order by {0}, field', getvariable('keys'), getvariable('fields'), getvariable('rows')));
