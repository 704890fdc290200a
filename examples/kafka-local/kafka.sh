#!/usr/bin/env bash
# A Kafka on this machine to try diurnal with: one node, broker and controller in one (KRaft), no container, no ZooKeeper.
# Needs Java 17 or later and Maven, which fetches Kafka's jars (54 MB) when it is first started; on Debian:
# apt-get install default-jre-headless maven
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# What it keeps, jars, topics and log, is in this folder; the port after the broker's is the controller's.
home=${KAFKA_LOCAL_HOME:-$here/data}
port=${KAFKA_LOCAL_PORT:-9092}
broker=localhost:$port

usage() {
    cat <<END
usage: kafka.sh COMMAND

  start                     start it, install it before that if need be; waits until it answers
  stop                      stop it; topics stay
  status                    say whether it runs
  topic NAME [PARTITIONS]   create a topic [default: 5 partitions]
  topics                    list the topics
  send NAME [FILE]          send the lines of a file, or of standard input, a message each
  lag GROUP                 what a consumer group, such as diurnal, has not read
  tool NAME ARGUMENT...     one of Kafka's own tools: kafka-topics, kafka-configs, kafka-consumer-groups,
                            kafka-console-consumer, kafka-console-producer, kafka-delete-records, kafka-get-offsets
  remove                    stop it, and remove topics and jars

KAFKA_LOCAL_HOME is the folder of all that it keeps [here: $home]
KAFKA_LOCAL_PORT is its port on localhost, the next one is used too [here: $port]
END
}

fail() {
    echo "kafka.sh: $*" >&2
    exit 1
}

# The jars, fetched when there are none.
libs() {
    for program in java mvn; do
        command -v "$program" >/dev/null ||
            fail "$program is missing (on Debian: apt-get install default-jre-headless maven)"
    done
    bash "$here/install-kafka.sh" "$home/jars" | tail -n 1
}

# java_words MEGABYTES CLASS ARGUMENT...: puts the words that run it into `java`.
java_words() {
    local heap=$1 jars
    shift
    jars=$(libs)
    java=(java "-Xmx${heap}m" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" "$@")
}

tool() {
    local name=$1 class
    shift
    case $name in
        kafka-topics) class=org.apache.kafka.tools.TopicCommand ;;
        kafka-configs) class=kafka.admin.ConfigCommand ;;
        kafka-consumer-groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
        kafka-console-consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
        kafka-console-producer) class=org.apache.kafka.tools.ConsoleProducer ;;
        kafka-delete-records) class=org.apache.kafka.tools.DeleteRecordsCommand ;;
        kafka-get-offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
        *) fail "$name is none of its tools; without a command this script lists them" ;;
    esac
    java_words 256 "$class" --bootstrap-server "$broker" "$@"
    "${java[@]}"
}

# The process of the broker, if it runs. A number alone could be another process's by now.
running() {
    local pid
    pid=$(cat "$home/pid" 2>/dev/null) || return 1
    grep -qzxF "$home/server.properties" "/proc/$pid/cmdline" 2>/dev/null || return 1
    echo "$pid"
}

answers() {
    (exec 3<>"/dev/tcp/localhost/$port") 2>/dev/null
}

# Records are kept whatever their age: what one tries diurnal with is often old.
properties() {
    cat <<END
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://localhost:$port,CONTROLLER://localhost:$((port + 1))
controller.listener.names=CONTROLLER
controller.quorum.voters=1@localhost:$((port + 1))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$home/topics
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
END
}

start() {
    local pid tries=0
    if pid=$(running); then
        echo "it runs already, as process $pid, at $broker"
        return
    fi
    if answers; then fail "something else answers at $broker; KAFKA_LOCAL_PORT chooses another port"; fi
    mkdir -p "$home"
    properties >"$home/server.properties"
    if [ ! -e "$home/topics/meta.properties" ]; then
        local cluster
        java_words 256 kafka.tools.StorageTool random-uuid
        cluster=$("${java[@]}")
        java_words 256 kafka.tools.StorageTool format --cluster-id "$cluster" --config "$home/server.properties"
        "${java[@]}" >/dev/null
    fi
    # A session of its own: it outlives the terminal, and Ctrl-C is not for it.
    java_words 1024 kafka.Kafka "$home/server.properties"
    setsid "${java[@]}" </dev/null >"$home/broker.log" 2>&1 &
    pid=$!
    echo "$pid" >"$home/pid"
    until answers; do
        if ! kill -0 "$pid" 2>/dev/null || ((++tries > 600)); then
            tail -n 20 "$home/broker.log" >&2
            fail "it does not start; the end of $home/broker.log is above"
        fi
        sleep 0.1
    done
    echo "it runs as process $pid, at $broker; diurnal finds it by --brokers $broker or DIURNAL_BROKERS=$broker"
}

stop() {
    local pid
    if ! pid=$(running); then
        echo "it does not run"
        return
    fi
    kill -TERM "$pid"
    while running >/dev/null; do sleep 0.1; done
    rm -f "$home/pid"
    echo "it is stopped; its topics are kept in $home"
}

command=${1:-}
if [ $# -gt 0 ]; then shift; fi
case $command in
    start) start ;;
    stop) stop ;;
    status)
        if pid=$(running); then
            echo "it runs as process $pid, at $broker"
        else
            echo "it does not run"
            exit 3
        fi
        ;;
    topic) tool kafka-topics --create --topic "${1:?a name of the topic is needed}" --partitions "${2:-5}" ;;
    topics) tool kafka-topics --list ;;
    send)
        topic=${1:?a name of the topic is needed}
        if [ $# -gt 1 ]; then exec <"$2"; fi
        tool kafka-console-producer --topic "$topic"
        ;;
    lag) tool kafka-consumer-groups --describe --group "${1:?a name of the group is needed, such as diurnal}" ;;
    tool) tool "$@" ;;
    remove)
        stop
        rm -rf "$home/topics" "$home/jars" "$home/server.properties" "$home/broker.log"
        rmdir "$home" 2>/dev/null || true
        ;;
    '' | help | -h | --help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
