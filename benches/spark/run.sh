#!/usr/bin/env bash
# What the job of engines/spark takes for a topic beside `diurnal archive`, turn by turn, on a standalone cluster of this machine: lines/s for
# each core, and the share of the executors' time in diurnal's own code (tests/spark/hooks), from Spark's event log.
#
#   DIURNAL_BENCH_BROKERS=host:port benches/spark/run.sh
#
# The topic is that of `cargo bench --bench archive`, filled by it (DIURNAL_BENCH_LINES, 2000000), unless DIURNAL_BENCH_TOPIC names one that
# has so many lines. DIURNAL_BENCH_RUNS (3) is how often, DIURNAL_BENCH_SPARK further words for spark-submit. Program and package are built for
# release, unless DIURNAL_BENCH_PROGRAM and DIURNAL_BENCH_PACKAGE (a folder with `diurnal/`) name others. Both archives have to have the
# same day files, or it ends with 1. Needs Java 17, Maven and Python. Figures go to target/bench-spark/out/figures.json too.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
: "${DIURNAL_BENCH_BROKERS:?host:port of a Kafka broker}"
lines=${DIURNAL_BENCH_LINES:-2000000}
runs=${DIURNAL_BENCH_RUNS:-3}
tools=$root/target/bench-spark
out=$tools/out
port=${DIURNAL_BENCH_PORT:-17077}
rm -rf "$out"
mkdir -p "$out"

cd "$root"
program=${DIURNAL_BENCH_PROGRAM:-}
topic=${DIURNAL_BENCH_TOPIC:-}
if [ -z "$program" ] || [ -z "$topic" ]; then
    # The program is built with it. Without the features of its dependencies that benchmarks ask for, all of them would be built once more.
    bench=$(cargo bench --bench archive --no-run 2>&1 | tee /dev/stderr | sed -n 's/.*(\(.*archive-[0-9a-f]*\)).*/\1/p')
    program=${program:-target/release/diurnal}
fi
if [ -z "$topic" ]; then
    # Fills the topic unless that was done before.
    topic=$(DIURNAL_BENCH_FILL=1 DIURNAL_BENCH_LINES=$lines "$bench" | tail -n 1)
fi

package=${DIURNAL_BENCH_PACKAGE:-}
if [ -z "$package" ]; then
    python=$(bash tests/support/install-python.sh target/test-tools/python | tail -n 1)/bin
    rm -rf "$tools/wheels" "$tools/package"
    "$python/maturin" build --release --locked --compatibility linux --interpreter "$python/python" --out "$tools/wheels" \
        --manifest-path python/Cargo.toml
    package=$tools/package
    "$python/python" -m zipfile -e "$tools"/wheels/*.whl "$package"
fi
venv=$(bash tests/support/install-spark.sh target/test-tools/spark | tail -n 1)
jars=$(bash engines/spark/jars.sh target/test-tools/spark-kafka | tail -n 1)
home=$("$venv/bin/python" -c 'import pyspark; print(pyspark.__path__[0])')

# The cluster lives until this script's end of the pipe is closed.
cluster=$(mktemp -d)
exec 8> >(exec bash tests/spark/cluster.sh "$cluster" "$home" "$port")
until [ "$(grep -c 'Registering worker' "$cluster/master.log" 2>/dev/null)" = 2 ]; do sleep 0.2; done

timed() {
    local folder=$1
    shift
    /usr/bin/time -o "$folder/time" -f '%e %U %S' "$@" >"$folder/log" 2>&1 || {
        tail -n 20 "$folder/log" >&2
        exit 1
    }
}

export PYSPARK_PYTHON=$venv/bin/python SPARK_LOCAL_IP=127.0.0.1
for ((run = 1; run <= runs; run++)); do
    folder=$out/spark-$run
    mkdir -p "$folder/events" "$folder/times"
    path=$root/tests/spark/hooks:$package
    # shellcheck disable=SC2086
    PYTHONPATH=$path SPARK_BENCH_TIMES=$folder/times timed "$folder" "$home/bin/spark-submit" --master "spark://127.0.0.1:$port" \
        --jars "$(echo "$jars"/*.jar | tr ' ' ,)" --driver-memory 700m --executor-memory 700m \
        --conf spark.driver.host=127.0.0.1 --conf spark.ui.enabled=false \
        --conf spark.eventLog.enabled=true --conf "spark.eventLog.dir=file://$folder/events" --conf spark.eventLog.compress=false \
        --conf "spark.executorEnv.PYTHONPATH=$path" --conf "spark.executorEnv.SPARK_BENCH_TIMES=$folder/times" \
        ${DIURNAL_BENCH_SPARK:-} \
        engines/spark/job.py --brokers "$DIURNAL_BENCH_BROKERS" --topic "$topic" --archive "$folder/archive"
    folder=$out/one-$run
    mkdir -p "$folder"
    timed "$folder" "$program" archive -q --brokers "$DIURNAL_BENCH_BROKERS" --topic "$topic" --archive "$folder/archive"
    diff -r -x _diurnal "$out/spark-$run/archive" "$out/one-$run/archive"
    rm -rf "$out/spark-$run/archive" "$out/one-$run/archive"
done
exec 8>&-
"$venv/bin/python" "$here/figures.py" "$out" "$lines"
