-- The ledger as tables: what each commit did and when, and which offsets of which partition it covers, or read once more (replayed).
-- There is no file of the archive that a commit doesn't list, and no line that its counts don't hold: lines = points + folded +
-- rejected.
--
-- duckdb -f queries/ledger.sql            from the folder that holds archive/

-- A long catch-up makes long records: the limit is one line's length in bytes.
-- A ledger of several files has lines in between that hold no commit: what all before add up to.
create temp view commits as
select "commit"
from read_json('archive/_diurnal/ledger-*.jsonl', format = 'newline_delimited', maximum_object_size = 1073741824,
               columns = {'commit': 'STRUCT(
                   id UBIGINT,
                   command VARCHAR,
                   "at" TIMESTAMP,
                   sources STRUCT(cluster_id VARCHAR, topic_id VARCHAR, topic VARCHAR, partition INTEGER, first BIGINT,
                                  "next" BIGINT, messages UBIGINT, gaps UBIGINT, lost UBIGINT)[],
                   replayed STRUCT(cluster_id VARCHAR, topic_id VARCHAR, topic VARCHAR, partition INTEGER, first BIGINT,
                                   "next" BIGINT, messages UBIGINT, gaps UBIGINT, lost UBIGINT)[],
                   merged STRUCT(archive VARCHAR, commits UBIGINT,
                                 sources STRUCT(cluster_id VARCHAR, topic_id VARCHAR, topic VARCHAR, partition INTEGER, first BIGINT,
                                                "next" BIGINT, messages UBIGINT, gaps UBIGINT, lost UBIGINT)[])[],
                   inputs STRUCT(path VARCHAR, bytes UBIGINT)[],
                   days STRUCT(measurement VARCHAR, "day" VARCHAR, "rows" UBIGINT, parquet STRUCT(bytes UBIGINT),
                               csv STRUCT(bytes UBIGINT))[],
                   counts STRUCT(lines UBIGINT, points UBIGINT, folded UBIGINT, conflicts UBIGINT, rejected UBIGINT))'})
where "commit" is not null;

select "commit".id as "commit",
       "commit".command as command,
       "commit"."at" as "at",
       unnest("commit".counts),
       len("commit".days) as days,
       list_sum(list_transform("commit".days, lambda d: coalesce(d.parquet.bytes, 0) + coalesce(d.csv.bytes, 0)))::ubigint
           as bytes_written,
       list_transform("commit".inputs, lambda i: i.path) as inputs
from commits
order by "commit".id;

-- merged_from: read by that archive, whose ranges may overlap with those read here.
select "commit", replayed, unnest(source), merged_from
from (select "commit".id as "commit", false as replayed, unnest("commit".sources) as source, null as merged_from from commits
      union all
      select "commit".id, true, unnest("commit".replayed), null from commits
      union all
      select "commit", false, unnest(merged.sources), merged.archive
      from (select "commit".id as "commit", unnest("commit".merged) as merged from commits))
order by "commit", source.topic, source.partition, source.first;
