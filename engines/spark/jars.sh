#!/usr/bin/env bash
# Collects the jars of Spark's connector to Kafka, for clusters that can't ask Maven's repository themselves (`--packages` does it for those
# that can). Usage: jars.sh FOLDER. maven-jars.sh says what it prints.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec bash "$here/../../examples/maven-jars.sh" "$here/pom.xml" "$@"
