-- Proof that the two formats of a measurement hold the same rows. Expect 0 and 0. For another measurement change the name
-- below.
--
-- The CSV files are read with the types of the Parquet files, so that nothing is guessed: a column that is empty for a
-- day, numbers beyond 2^63, nanoseconds, and the empty string, which is not null, all come back as they were.
--
-- duckdb -f queries/csv-against-parquet.sql       from the folder that holds archive/

set variable measurement = 'cpu';

-- The columns by name: the two readers may list those of several days in another order.
set variable parquet = format(
    'read_parquet(''archive/{}/*.parquet'', union_by_name = true)', getvariable('measurement'));
set variable columns = (
    select string_agg(format('"{}"', replace(column_name, '"', '""')), ', ')
    from (describe select * from query('from ' || getvariable('parquet'))));
set variable types = (
    select string_agg(format('''{}'': ''{}''', replace(column_name, '''', ''''''), column_type), ', ')
    from (describe select * from query('from ' || getvariable('parquet'))));
set variable csv = format(
    'read_csv(''archive/{}/*.csv'', union_by_name = true, header = true, delim = '','', quote = ''"'', escape = ''"'', '
    || 'allow_quoted_nulls = false, types = {{{}}})',
    getvariable('measurement'), getvariable('types'));

select (select count(*) from query('from ' || getvariable('parquet'))) as "rows",
       (select count(*) from query(format('select {0} from {1} except all select {0} from {2}',
            getvariable('columns'), getvariable('parquet'), getvariable('csv')))) as in_parquet_only,
       (select count(*) from query(format('select {0} from {2} except all select {0} from {1}',
            getvariable('columns'), getvariable('parquet'), getvariable('csv')))) as in_csv_only;
