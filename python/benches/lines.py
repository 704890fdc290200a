#!/usr/bin/env python3
"""Lines as Telegraf's agents send them: 80% cpu lines of about 255 bytes, 20% mem lines of about 700, two days, out of order by up to a minute.

    lines.py LINES >FILE.lp                         always the same
"""

import random
import sys

CPU = ["usage_guest", "usage_guest_nice", "usage_idle", "usage_iowait", "usage_irq", "usage_nice", "usage_softirq", "usage_steal", "usage_system", "usage_user"]
MEM = (
    "active available buffered cached commit_limit committed_as dirty free high_free high_total huge_page_size huge_pages_free huge_pages_total "
    "inactive low_free low_total mapped page_tables shared slab sreclaimable sunreclaim swap_cached swap_free swap_total total used vmalloc_chunk "
    "vmalloc_total vmalloc_used write_back write_back_tmp"
).split()

START = 1592568000 * 10**9


def main():
    count = int(sys.argv[1])
    made = random.Random(1)
    step = 2 * 86_400 * 10**9 // count
    for number in range(count):
        at = START + number * step + made.randrange(60) * 10**9
        host = f"web-{made.randrange(100):02}"
        if number % 5 < 4:
            fields = ",".join(f"{name}={round(made.random() * 100, 10)}" if made.random() < 0.7 else f"{name}=0" for name in CPU)
            print(f"cpu,cpu=cpu{made.randrange(8)},host={host} {fields} {at}")
        else:
            fields = ",".join(f"{name}={made.randrange(1 << 34)}i" for name in MEM)
            print(f"mem,host={host} {fields},available_percent={made.random() * 100},used_percent={made.random() * 100} {at}")


if __name__ == "__main__":
    main()
