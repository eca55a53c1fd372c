import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.LogAndContinueExceptionHandler;
import org.apache.kafka.streams.errors.LogAndContinueProcessingExceptionHandler;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * Runs one of {@link Apps} on Kafka Streams.
 *
 * <p>{@code --app totals|filter|by-shop --bootstrap H:P --application-id ID --in TOPIC --out TOPIC --state-dir DIR [--config KEY=VALUE]...
 * [--until caught-up|terminated]}. Until caught up (the default) means: the offsets that ended the input at the start are committed; then
 * it leaves the group and prints {@code CAUGHT-UP}. Terminated by SIGTERM it leaves the group as well. {@code RUNNING} is printed whenever all
 * tasks run, {@code RESTORING} and {@code RESTORED} for each changelog partition.
 */
public final class Reference {
    private Reference() {
    }

    public static void main(final String[] argv) throws Exception {
        final Args args = new Args(argv);
        final String in = args.required("in");
        final String applicationId = args.required("application-id");
        final Properties props = new Properties();
        props.put(StreamsConfig.APPLICATION_ID_CONFIG, applicationId);
        props.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args.required("bootstrap"));
        props.put(StreamsConfig.STATE_DIR_CONFIG, args.required("state-dir"));
        props.put(StreamsConfig.DESERIALIZATION_EXCEPTION_HANDLER_CLASS_CONFIG, LogAndContinueExceptionHandler.class.getName());
        props.put(StreamsConfig.PROCESSING_EXCEPTION_HANDLER_CLASS_CONFIG, LogAndContinueProcessingExceptionHandler.class.getName());
        props.putAll(args.config());

        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args.required("bootstrap")))) {
            final Map<TopicPartition, Long> ends = ends(admin, in);
            final CountDownLatch stop = new CountDownLatch(1);
            final CountDownLatch closed = new CountDownLatch(1);
            final boolean[] failed = {false};
            final KafkaStreams streams = new KafkaStreams(Apps.named(args.or("app", "totals"), in, args.required("out")), props);
            streams.setUncaughtExceptionHandler(e -> {
                e.printStackTrace();
                failed[0] = true;
                stop.countDown();
                return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                stop.countDown();
                try {
                    closed.await();
                } catch (final InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }));
            streams.setStateListener((now, before) -> {
                if (now == KafkaStreams.State.RUNNING) {
                    System.out.println("RUNNING");
                }
            });
            streams.setGlobalStateRestoreListener(new Restores());
            streams.start();
            System.out.println("STARTED");

            if (args.or("until", "caught-up").equals("caught-up")) {
                while (stop.getCount() > 0 && !reached(admin, applicationId, ends)) {
                    Thread.sleep(100);
                }
            } else {
                stop.await();
            }
            final boolean inTime = streams.close(CloseOptions.timeout(Duration.ofSeconds(30))
                .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
            if (inTime && !failed[0]) {
                System.out.println("CAUGHT-UP");
            }
            closed.countDown();
            if (!inTime || failed[0]) {
                Runtime.getRuntime().halt(1);
            }
        }
    }

    /** Says when a changelog partition begins to be restored, and how many records it was at the end. */
    private static final class Restores implements StateRestoreListener {
        @Override
        public void onRestoreStart(final TopicPartition changelog, final String store, final long from, final long to) {
            System.out.println("RESTORING " + changelog + " " + (to - from));
        }

        @Override
        public void onBatchRestored(final TopicPartition changelog, final String store, final long end, final long count) {
        }

        @Override
        public void onRestoreEnd(final TopicPartition changelog, final String store, final long total) {
            System.out.println("RESTORED " + changelog + " " + total);
        }
    }

    /** The last stable offset of every partition of the topic. */
    private static Map<TopicPartition, Long> ends(final Admin admin, final String topic) throws Exception {
        final Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
        admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions()
            .forEach(p -> wanted.put(new TopicPartition(topic, p.partition()), OffsetSpec.latest()));
        final Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(wanted, new ListOffsetsOptions(IsolationLevel.READ_COMMITTED)).all().get()
            .forEach((tp, info) -> ends.put(tp, info.offset()));
        return ends;
    }

    private static boolean reached(final Admin admin, final String group, final Map<TopicPartition, Long> ends) throws Exception {
        final Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        return ends.entrySet().stream().allMatch(end -> {
            final OffsetAndMetadata at = committed.get(end.getKey());
            return end.getValue() == 0 || at != null && at.offset() >= end.getValue();
        });
    }
}
