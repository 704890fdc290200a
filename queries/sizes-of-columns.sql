-- Which columns a measurement's Parquet files are made of: the bytes of each, compressed and not, and its share. For another
-- measurement change the name below.
--
-- duckdb -f queries/sizes-of-columns.sql  from the folder that holds archive/

set variable measurement = 'cpu';

select path_in_schema as "column",
       sum(num_values)::bigint as "rows",
       sum(total_compressed_size)::bigint as bytes,
       sum(total_uncompressed_size)::bigint as uncompressed,
       round(100.0 * sum(total_compressed_size) / sum(sum(total_compressed_size)) over (), 1) as share_percent,
       round(sum(total_compressed_size) / sum(num_values), 2) as bytes_a_row
from parquet_metadata(format('archive/{}/*.parquet', getvariable('measurement')))
group by "column"
order by bytes desc, "column";
