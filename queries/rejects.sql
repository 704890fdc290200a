-- The lines that could not be archived: how many still wait for each reason and column, how many a retry has archived since, and the
-- newest of them all word for word. `diurnal rejects` counts the same.
--
-- duckdb -f queries/rejects.sql           from the folder that holds archive/

-- An archive without rejects has no such file; archive.toml is always there, and holds none.
set variable files = (
    select list_append(coalesce(list(file order by file), []), 'archive/_diurnal/archive.toml')
    from glob('archive/_diurnal/rejects/*.jsonl'));

with texts as (
    select regexp_extract(filename, '_diurnal/rejects/[^/]+$') as file, string_split(content, chr(10)) as lines
    from read_text(getvariable('files'))
    where filename like '%.jsonl'
),
stored as (
    select file, unnest(range(1, len(lines) + 1)) as number, unnest(lines) as text from texts
),
retried as (
    select retry.path as file, unnest(retry.lines) as numbers
    from (select unnest("commit".retried) as retry
          from read_json('archive/_diurnal/ledger-*.jsonl', format = 'newline_delimited', maximum_object_size = 1073741824,
                         columns = {'commit': 'STRUCT(retried STRUCT(path VARCHAR, lines BIGINT[][])[])'}))
),
rejects as (
    select file, number, text::json as reject,
           exists (from retried where retried.file = stored.file and number between numbers[1] and numbers[2]) as is_archived
    from stored
    where text <> ''
)
select reject->>'reason' as reason,
       reject->>'$.place[0]' as measurement,
       reject->>'$.place[1]' as "column",
       count(*) filter (where not is_archived) as lines,
       count(*) filter (where is_archived) as archived_since,
       arg_max(coalesce(reject->>'path', format('{}[{}]', reject->>'topic', reject->>'partition'))
               || ' offset ' || (reject->>'offset'), (file, number)) as newest,
       arg_max(coalesce(reject->>'line', reject->>'line_base64'), (file, number)) as newest_line
from rejects
group by all
order by lines desc, reason, measurement, "column";
