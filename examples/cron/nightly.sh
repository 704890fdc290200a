#!/bin/sh
# Archives what Kafka holds, then does something with yesterday's files if that went well. For cron: see crontab beside
# this file, which sets DIURNAL_ARCHIVE, DIURNAL_BROKERS and DIURNAL_TOPIC.
set -u

diurnal archive -q
code=$?
case $code in
    0) ;;
    3) echo "nightly: archived; some lines could not be, they are in $DIURNAL_ARCHIVE/_diurnal/rejects" >&2 ;;
    5) echo "nightly: archived, but Kafka no longer had some offsets: run it more often, or keep the topic longer" >&2 ;;
    4) exit 0 ;; # the run before is still at it; it will do
    *) exit "$code" ;; # incomplete: yesterday may lack rows. The next run goes on where this one stopped.
esac

yesterday=$(date -u -d yesterday +%F)
file=$DIURNAL_ARCHIVE/cpu/$yesterday.parquet
if [ ! -e "$file" ]; then
    echo "nightly: no cpu metrics of $yesterday" >&2
    exit 1
fi
duckdb -csv -c "select host, round(avg(100 - usage_idle), 2) as mean_percent, round(max(100 - usage_idle), 2) as busiest_percent
                from '$file' where cpu = 'cpu-total' group by host order by host"
