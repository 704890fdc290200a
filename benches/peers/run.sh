#!/usr/bin/env bash
# What others take to drain the same topic: a tutorial's Java consumer, Telegraf into Parquet and CSV, Python, kcat and DuckDB's SQL, beside
# the floor and diurnal, turn by turn. Prints a table of medians; ratios are to the floor.
#
#   DIURNAL_BENCH_BROKERS=host:port benches/peers/run.sh [PEER...]
#
# The topic is that of `cargo bench --bench archive`, filled by it (DIURNAL_BENCH_LINES, 2000000). DIURNAL_BENCH_RUNS (3) is how often.
# What is missing here is installed into target/bench-peers where it can be (javac, Go for Telegraf, Python packages), else the peer is
# left out with a word. None of them sorts as diurnal does but Python and DuckDB, and none leaves what is there once.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
: "${DIURNAL_BENCH_BROKERS:?host:port of a Kafka broker}"
brokers=$DIURNAL_BENCH_BROKERS
lines=${DIURNAL_BENCH_LINES:-2000000}
runs=${DIURNAL_BENCH_RUNS:-3}
topic=diurnal-bench-$lines-5-2
tools=$root/target/bench-peers
out=$tools/out
mkdir -p "$tools"

all=(floor diurnal java-poll java-record telegraf-parquet telegraf-csv python duckdb)
peers=("$@")
((${#peers[@]})) || peers=("${all[@]}")

without() { printf 'left out: %s: %s\n' "$1" "$2" >&2; }

cd "$root"
cargo build --release --bin diurnal
bench=$(cargo bench --bench archive --no-run 2>&1 | sed -n 's/.*(\(.*archive-[0-9a-f]*\)).*/\1/p')
# Fills the topic unless that was done before.
DIURNAL_BENCH_FILL=1 DIURNAL_BENCH_LINES=$lines "$bench"

libs=$(bash tests/support/install-kafka.sh target/test-tools/kafka | tail -n 1) || libs=
if [ -n "$libs" ] && command -v javac >/dev/null; then
    mkdir -p "$tools/classes"
    javac -cp "$libs/*" -d "$tools/classes" "$here/TutorialConsumer.java"
fi
if [ ! -x "$tools/python/bin/python" ]; then
    python3 -m venv "$tools/python" && "$tools/python/bin/pip" -q install confluent-kafka pyarrow numpy duckdb || rm -rf "$tools/python"
fi
python=$tools/python/bin/python
if [ ! -x "$tools/telegraf" ] && command -v go >/dev/null; then
    GOBIN=$tools CGO_ENABLED=0 GOTOOLCHAIN=${GOTOOLCHAIN:-auto} go install \
        -tags custom,inputs.kafka_consumer,parsers.influx,outputs.file,outputs.parquet,serializers.csv \
        github.com/influxdata/telegraf/cmd/telegraf@v1.37.2 || true
fi
export TELEGRAF=$tools/telegraf

# The command of a peer, or nothing where it can't be had.
command_of() {
    case $1 in
        floor) echo "$bench poll $brokers $topic 2" ;;
        diurnal) echo "target/release/diurnal archive -q --brokers $brokers --topic $topic --archive $out/archive" ;;
        java-*)
            [ -e "$tools/classes/TutorialConsumer.class" ] || { without "$1" "javac or Kafka's jars are missing"; return; }
            echo "java -cp $libs/*:$tools/classes TutorialConsumer $brokers $topic $out ${1#java-}"
            ;;
        telegraf-*)
            [ -x "$TELEGRAF" ] && [ -x "$python" ] || { without "$1" "Go or Python's venv is missing"; return; }
            echo "$python $here/telegraf_until_drained.py $here/$1.conf.in $brokers $topic $out $tools/telegraf.time 600"
            ;;
        python)
            [ -x "$python" ] || { without "$1" "Python's venv is missing"; return; }
            echo "$python $here/python_drain.py $brokers $topic $out"
            ;;
        duckdb)
            [ -x "$python" ] && command -v kcat >/dev/null || { without "$1" "kcat or Python's venv is missing"; return; }
            echo "sh -c 'kcat -b $brokers -t $topic -C -e -q > $out/lines.lp && $python $here/duckdb_sql.py $out/lines.lp $out map'"
            ;;
        *) without "$1" "no such peer; there are ${all[*]}" ;;
    esac
}

results=$tools/results.tsv
: >"$results"
for ((run = 1; run <= runs; run++)); do
    for peer in "${peers[@]}"; do
        command=$(command_of "$peer")
        [ -n "$command" ] || continue
        rm -rf "$out"
        mkdir -p "$out"
        # The processor time of Telegraf alone is in a file of its own: the script around it asks for its lag.
        /usr/bin/time -o "$tools/time" -f '%e %U %S %M' bash -c "set -f; $command" >"$tools/log" 2>&1 || { without "$peer" "it failed, see $tools/log"; continue; }
        read -r wall user system peak <"$tools/time"
        if [[ $peer == telegraf-* ]]; then
            wall=$(sed -n 's/.*"seconds_to_lag_0": \([0-9.]*\).*/\1/p' "$tools/log")
            user=$(sed -n 's/.*User time (seconds): //p' "$tools/telegraf.time")
            system=$(sed -n 's/.*System time (seconds): //p' "$tools/telegraf.time")
            peak=$(sed -n 's/.*Maximum resident set size (kbytes): //p' "$tools/telegraf.time")
        fi
        printf '%s\t%s\t%s\t%s\t%s\n' "$peer" "$wall" "$user" "$system" "$peak" >>"$results"
    done
done
rm -rf "$out"
awk -F '\t' -v lines="$lines" '
    { n[$1]++; wall[$1, n[$1]] = $2; cpu[$1] += $3 + $4; if ($5 > peak[$1]) peak[$1] = $5; if (!seen[$1]++) order[++peers] = $1 }
    function median(peer,   i, j, t, v) {
        for (i = 1; i <= n[peer]; i++) v[i] = wall[peer, i]
        for (i = 2; i <= n[peer]; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        return v[int((n[peer] + 1) / 2)]
    }
    END {
        printf "%-18s %8s %8s %10s %9s\n", "", "s", "x floor", "CPU s/1M", "peak MiB"
        for (p = 1; p <= peers; p++) {
            peer = order[p]
            if (peer == "floor") floor = median(peer)
            printf "%-18s %8.2f %8s %10.2f %9d\n", peer, median(peer), floor ? sprintf("%.1f", median(peer) / floor) : "", \
                cpu[peer] / n[peer] / lines * 1e6, peak[peer] / 1024
        }
    }' "$results"
