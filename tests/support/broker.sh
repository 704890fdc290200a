#!/usr/bin/env bash
# Runs a Kafka broker for as long as the test process that started it lives. Usage: broker.sh FOLDER COMMAND...
# Prints the broker's process id. Standard input is the leash: when its other end closes, however the test process
# ended, the broker is killed and its folder removed.
set -u

folder=$1
shift
# Ctrl-C reaches the whole process group; the leash decides, so that the folder is removed in any case.
trap '' INT TERM HUP
"$@" </dev/null >"$folder/broker.log" 2>&1 &
echo "$!"
exec >/dev/null 2>&1
read -r _
kill -KILL %1
wait
rm -rf -- "$folder"
