#!/usr/bin/env python3
"""Run Telegraf as a daemon until its consumer group has no lag left, then SIGTERM it.

    telegraf_until_drained.py TEMPLATE BROKERS TOPIC OUTDIR TIMEFILE LIMIT_S

env: TELEGRAF (binary), TG_BATCH, TG_UNDELIVERED, TG_LIMIT (metric_buffer_limit), TG_KAFKA_VERSION,
     TG_KILL=1 ends it with SIGKILL in place of SIGTERM, to see what the files hold then

Prints one JSON line: seconds from start to lag 0 (as committed: sarama commits once a second, so
this is up to 1 s late), seconds to exit. /usr/bin/time -v of Telegraf alone goes to TIMEFILE.
Committed offsets are asked for every 0.2 s by this process, whose CPU is not Telegraf's.
"""
import json
import os
import signal
import subprocess
import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient


def main():
    template, brokers, topic, out, timefile, limit = sys.argv[1:7]
    out, timefile = os.path.abspath(out), os.path.abspath(timefile)
    group = f"peer-telegraf-{os.getpid()}-{int(time.time())}"
    batch = os.environ.get("TG_BATCH", "10000")
    und = os.environ.get("TG_UNDELIVERED", "50000")
    lim = os.environ.get("TG_LIMIT", "100000")
    with open(template) as f:
        conf = f.read()
    for k, v in {"BROKERS": brokers, "TOPIC": topic, "GROUP": group, "OUT": out,
                 "BATCH": batch, "KVER": os.environ.get("TG_KAFKA_VERSION", "3.6.0"), "UNDELIVERED": und, "LIMIT": lim}.items():
        conf = conf.replace(f"@{k}@", v)
    path = os.path.join(out, "..", os.path.basename(out) + ".conf")
    with open(path, "w") as f:
        f.write(conf)

    c = Consumer({"bootstrap.servers": brokers, "group.id": "peer-probe"})
    ends = {}
    for p in c.list_topics(topic).topics[topic].partitions:
        lo, hi = c.get_watermark_offsets(TopicPartition(topic, p))
        if hi > lo:
            ends[p] = hi
    c.close()
    admin = AdminClient({"bootstrap.servers": brokers})
    ask = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, p) for p in ends])]

    log = open(os.path.join(out, "..", os.path.basename(out) + ".log"), "w")
    t0 = time.perf_counter()
    timed = subprocess.Popen(
        ["/usr/bin/time", "-v", "-o", timefile, os.environ.get("TELEGRAF", "telegraf"), "--config", path],
        stdout=log, stderr=log, cwd=out)
    pid = None
    while pid is None and timed.poll() is None:
        try:
            with open(f"/proc/{timed.pid}/task/{timed.pid}/children") as f:
                kids = f.read().split()
            pid = int(kids[0]) if kids else None
        except OSError:
            pass
        time.sleep(0.005)
    drained, got = None, {}
    while timed.poll() is None and time.perf_counter() - t0 < float(limit):
        time.sleep(0.2)
        try:
            r = list(admin.list_consumer_group_offsets(ask).values())[0].result(timeout=10)
        except Exception as e:  # the group is not there yet
            print(f"probe: {e}", file=sys.stderr)
            continue
        got = {tp.partition: tp.offset for tp in r.topic_partitions}
        if all(got.get(p, -1) >= e for p, e in ends.items()):
            drained = time.perf_counter() - t0
            break
    lag = {p: e - max(got.get(p, 0), 0) for p, e in ends.items()}
    if pid and timed.poll() is None:
        os.kill(pid, signal.SIGKILL if os.environ.get("TG_KILL") else signal.SIGTERM)
    rc = timed.wait()
    t1 = time.perf_counter() - t0
    try:
        list(admin.delete_consumer_groups([group]).values())[0].result(timeout=10)
    except Exception:
        pass
    print(json.dumps({"seconds_to_lag_0": drained and round(drained, 3), "seconds_to_exit": round(t1, 3),
                      "lag_left": sum(lag.values()), "exit": rc, "batch": int(batch), "undelivered": int(und)}))
    return 0 if drained else 1


if __name__ == "__main__":
    sys.exit(main())
