#!/usr/bin/env bash
# The jars of an Apache Kafka broker for the tests: those of the example. Usage: install-kafka.sh FOLDER
exec bash "$(dirname "${BASH_SOURCE[0]}")/../../examples/kafka-local/install-kafka.sh" "$@"
