#!/usr/bin/env bash
# Collects the jars of an Apache Kafka broker and its tools. Usage: install-kafka.sh FOLDER. maven-jars.sh says what it prints.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec bash "$here/../maven-jars.sh" "$here/pom.xml" "$@"
