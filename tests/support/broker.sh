#!/usr/bin/env bash
# Runs a Kafka broker for as long as the test process that started it lives. Usage: broker.sh FOLDER COMMAND...
# Prints the broker's process id. Standard input is the leash: when its other end closes, however the test process
# ended, the broker is killed and its folder removed. Until then each line on it is an order: `kill` ends the broker as a
# power cut would, `start` starts it again on what it left, `pause` and `resume` stop and continue its process.
set -u

folder=$1
shift
# Ctrl-C reaches the whole process group; the leash decides, so that the folder is removed in any case.
trap '' INT TERM HUP
start() {
    "$@" </dev/null >>"$folder/broker.log" 2>&1 &
    pid=$!
}
stop() {
    kill -KILL "$pid"
    wait "$pid"
}
start "$@"
echo "$pid"
exec >/dev/null 2>&1
while read -r order; do
    case $order in
        kill) stop ;;
        start) start "$@" ;;
        pause) kill -STOP "$pid" ;;
        resume) kill -CONT "$pid" ;;
    esac
done
stop
rm -rf -- "$folder"
