#!/usr/bin/env bash
# Runs a standalone Spark cluster, a master and two workers of one core, for as long as the test process that started it lives.
# Usage: cluster.sh FOLDER SPARK-HOME PORT
# Standard input is the leash: when its other end closes, however the test process ended, all of them and the executors that they
# started are killed, and the folder is removed.
set -u

folder=$1 home=$2 port=$3
# Ctrl-C reaches the whole process group; the leash decides, so that the folder is removed in any case.
trap '' INT TERM HUP
export SPARK_HOME=$home SPARK_LOCAL_IP=127.0.0.1 SPARK_LOCAL_DIRS=$folder/local SPARK_DAEMON_MEMORY=256m
export SPARK_DAEMON_JAVA_OPTS="-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Dspark.master.ui.port=0 -Dspark.worker.ui.port=0 -Dspark.master.rest.enabled=false"
groups=()
# A process group of its own, for what it starts is to end with it.
start() {
    local log=$1
    shift
    setsid "$home/bin/spark-class" "$@" </dev/null >>"$folder/$log" 2>&1 &
    groups+=("$!")
}
start master.log org.apache.spark.deploy.master.Master --host 127.0.0.1 --port "$port"
# Two hosts as far as Spark knows, for it starts no second attempt of a task on the host of the first.
for worker in 1 2; do
    export SPARK_LOCAL_IP=127.0.0.$worker
    start "worker-$worker.log" org.apache.spark.deploy.worker.Worker --host "$SPARK_LOCAL_IP" --cores 1 --memory 1g \
        --work-dir "$folder/work-$worker" "spark://127.0.0.1:$port"
done
echo "${groups[*]}" >"$folder/pids"
exec >/dev/null 2>&1
while read -r _; do :; done
for group in "${groups[@]}"; do kill -KILL -- "-$group"; done
wait
rm -rf -- "$folder"
