#!/usr/bin/env bash
# Runs a Kafka broker for as long as the test process that started it lives. Usage: broker.sh FOLDER COMMAND...
# Keeps the broker's process id in FOLDER/broker.pid. Standard input is the leash: when its other end closes, however the test
# process ended, the broker is killed and its folder removed. Until then each line on it is an order: `kill` ends the broker as a
# power cut would, `start` starts it again on what it left, `pause` holds it (SIGSTOP), `resume` lets it go on.
set -u

folder=$1
shift
# Ctrl-C reaches the whole process group; the leash decides, so that the folder is removed in any case.
trap '' INT TERM HUP
start() {
    "$@" </dev/null >>"$folder/broker.log" 2>&1 &
    pid=$!
    # Renamed into place, so that nobody reads half a number.
    echo "$pid" >"$folder/broker.pid.new" && mv "$folder/broker.pid.new" "$folder/broker.pid"
}
stop() {
    kill -KILL "$pid"
    wait "$pid"
}
exec >/dev/null 2>&1
start "$@"
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
