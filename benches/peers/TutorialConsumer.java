// What a tutorial shows: five KafkaConsumers in one group, auto-commit off, each appending record values to its own
// consumer-thread-N.csv and committing after each poll.
//
//   java -cp "KAFKA_LIBS/*:CLASSES" TutorialConsumer BROKERS TOPIC OUTDIR MODE [GROUP]
//
// MODE poll    the file is opened in append mode before every poll, value + "\n" of all records are collected in a StringBuilder, one
//              write, commitSync, close. (The bytes reach the file when it is closed, after the commit.)
// MODE record  one FileWriter for the run, write and flush for each record, commitSync after each poll.
//
// Two things are added, without which it cannot be measured: auto.offset.reset=earliest
// (the default, latest, sees nothing of what is already there) and an exit once
// the end offsets read at the start are reached.

import java.io.File;
import java.io.FileWriter;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

public class TutorialConsumer {
    static final int THREADS = 5;
    static final Map<Integer, Long> toGo = new ConcurrentHashMap<>();
    static final AtomicLong records = new AtomicLong();
    static final AtomicLong bytes = new AtomicLong();
    static final AtomicLong polls = new AtomicLong();
    static final List<Worker> workers = Collections.synchronizedList(new ArrayList<>());
    static volatile long firstNanos;
    static volatile long lastNanos;
    static volatile boolean over;

    public static void main(String[] a) throws Exception {
        if (a.length < 4) {
            System.err.println("TutorialConsumer BROKERS TOPIC OUTDIR poll|record [GROUP]");
            System.exit(2);
        }
        long t0 = System.nanoTime();
        String group = a.length > 4 ? a[4] : "peer-java-" + System.currentTimeMillis();
        Properties p = new Properties();
        p.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, a[0]);
        p.put(ConsumerConfig.GROUP_ID_CONFIG, group);
        p.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        p.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        p.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");

        try (KafkaConsumer<String, String> c = new KafkaConsumer<>(p)) {
            List<TopicPartition> tps = new ArrayList<>();
            for (PartitionInfo i : c.partitionsFor(a[1])) tps.add(new TopicPartition(a[1], i.partition()));
            Map<TopicPartition, Long> lo = c.beginningOffsets(tps);
            c.endOffsets(tps).forEach((tp, end) -> {
                if (end > lo.get(tp)) toGo.put(tp.partition(), end);
            });
        }
        ExecutorService pool = Executors.newCachedThreadPool();
        for (int i = 0; i < THREADS; i++) {
            Worker w = new Worker(p, a[1], new File(a[2], "consumer-thread-" + i + ".csv"), a[3].equals("record"));
            workers.add(w);
            pool.execute(w);
        }
        pool.shutdown();
        pool.awaitTermination(1, TimeUnit.HOURS);
        System.out.printf(
            "{\"records\":%d,\"chars\":%d,\"polls\":%d,\"seconds_to_last_write\":%.6f,\"seconds_first_to_last_record\":%.6f,\"group\":\"%s\"}%n",
            records.get(), bytes.get(), polls.get(), (lastNanos - t0) / 1e9, (lastNanos - firstNanos) / 1e9, group);
    }

    static final class Worker implements Runnable {
        final KafkaConsumer<String, String> consumer;
        final String topic;
        final File file;
        final boolean perRecord;

        Worker(Properties p, String topic, File file, boolean perRecord) {
            this.consumer = new KafkaConsumer<>(p);
            this.topic = topic;
            this.file = file;
            this.perRecord = perRecord;
        }

        public void run() {
            consumer.subscribe(Collections.singletonList(topic));
            try {
                if (perRecord) eachRecord();
                else eachPoll();
            } catch (WakeupException e) {
                // all partitions are drained
            } catch (IOException e) {
                System.err.println(file + ": " + e);
            } finally {
                try {
                    consumer.commitSync();
                } catch (WakeupException e) {
                    consumer.commitSync();
                }
                consumer.close();
            }
        }

        void eachPoll() throws IOException {
            while (!over) {
                FileWriter fw = new FileWriter(file, true);
                StringBuilder sb = new StringBuilder();
                ConsumerRecords<String, String> rs;
                try {
                    rs = consumer.poll(Duration.ofSeconds(1));
                } catch (WakeupException e) {
                    fw.close();
                    throw e;
                }
                for (ConsumerRecord<String, String> r : rs) sb.append(r.value()).append("\n");
                fw.write(sb.toString());
                consumer.commitSync();
                fw.close();
                account(rs);
            }
        }

        void eachRecord() throws IOException {
            try (FileWriter fw = new FileWriter(file, true)) {
                while (!over) {
                    ConsumerRecords<String, String> rs = consumer.poll(Duration.ofSeconds(1));
                    for (ConsumerRecord<String, String> r : rs) {
                        fw.write(r.value());
                        fw.flush();
                    }
                    consumer.commitSync();
                    account(rs);
                }
            }
        }

        void account(ConsumerRecords<String, String> rs) {
            if (rs.isEmpty()) return;
            if (firstNanos == 0) firstNanos = System.nanoTime();
            polls.incrementAndGet();
            long n = 0;
            for (ConsumerRecord<String, String> r : rs) n += r.value().length();
            bytes.addAndGet(n);
            records.addAndGet(rs.count());
            for (TopicPartition tp : rs.partitions()) {
                List<ConsumerRecord<String, String>> l = rs.records(tp);
                long next = l.get(l.size() - 1).offset() + 1;
                toGo.computeIfPresent(tp.partition(), (k, end) -> next >= end ? null : end);
            }
            if (toGo.isEmpty()) {
                over = true;
                lastNanos = System.nanoTime();
                for (Worker w : workers) if (w != this) w.consumer.wakeup();
            }
        }
    }
}
