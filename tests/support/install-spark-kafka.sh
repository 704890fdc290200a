#!/usr/bin/env bash
# The jars of Spark's connector to Kafka: those of the job. Usage: install-spark-kafka.sh FOLDER
exec bash "$(dirname "${BASH_SOURCE[0]}")/../../engines/spark/jars.sh" "$@"
