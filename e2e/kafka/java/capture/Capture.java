// In Kafka Streams' own package, because the internal topics of a topology are visible there only.
package org.apache.kafka.streams;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.TaskId;
import org.apache.kafka.streams.processor.internals.InternalTopicConfig;
import org.apache.kafka.streams.processor.internals.InternalTopologyBuilder;
import org.apache.kafka.streams.processor.internals.PartitionGrouper;
import org.apache.kafka.streams.processor.internals.RepartitionTopics;
import org.apache.kafka.streams.processor.internals.TopologyMetadata;
import org.apache.kafka.streams.processor.internals.assignment.CopartitionedTopicsEnforcer;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Reads small scripts from stdin, builds each as a Kafka Streams topology and prints Java's description and internal topics.
 *
 * A script starts with "=== title", then has one call per line; the n-th line (from 0) defines handle n, and calls name earlier
 * handles by number. "-" stands for what is left out.
 *
 *   stream a,b            filter 0        filternot 0      map 0        mapvalues 0      selectkey 0      merge 0 1
 *   repartition 0 NAME PARTITIONS         tfilter 3        tmapvalues 3                  tostream 3       to 4 TOPIC
 *   aggregate 0 STORE GROUPED SIZE_MS GRACE_MS RETENTION_MS k=v;k=v
 *
 * A line "partitions a=4 b=2" (which defines no handle) gives the partition counts of the user's topics; with it, tasks and internal
 * topics are printed too, for the application id "app". "config k=v" sets a property of the application.
 */
public class Capture {
    public static void main(final String[] args) throws Exception {
        final List<String> lines = new BufferedReader(new InputStreamReader(System.in)).lines().toList();
        List<String> script = null;
        for (final String line : lines) {
            if (line.startsWith("=== ")) {
                if (script != null) run(script);
                script = new ArrayList<>();
            }
            if (!line.isBlank()) script.add(line.trim());
        }
        if (script != null) run(script);
    }

    private static String orNull(final String word) {
        return word.equals("-") ? null : word;
    }

    @SuppressWarnings("unchecked")
    private static void run(final List<String> script) throws Exception {
        final StreamsBuilder builder = new StreamsBuilder();
        final List<Object> handles = new ArrayList<>();
        final Map<String, Integer> partitions = new TreeMap<>();
        final Properties config = new Properties();
        for (final String line : script) {
            System.out.println(line);
        }
        System.out.println("---");
        try {
            for (final String line : script.subList(1, script.size())) {
                final String[] w = line.split(" ");
                final KStream<String, String> stream = w.length > 1 && w[1].matches("\\d+") && handles.get(Integer.parseInt(w[1])) instanceof KStream
                    ? (KStream<String, String>) handles.get(Integer.parseInt(w[1])) : null;
                final KTable<Object, String> table = w.length > 1 && w[1].matches("\\d+") && handles.get(Integer.parseInt(w[1])) instanceof KTable
                    ? (KTable<Object, String>) handles.get(Integer.parseInt(w[1])) : null;
                switch (w[0]) {
                    case "stream" -> handles.add(builder.stream(Arrays.asList(w[1].split(",")), Consumed.with(Serdes.String(), Serdes.String())));
                    case "filter" -> handles.add(stream.filter((k, v) -> true));
                    case "filternot" -> handles.add(stream.filterNot((k, v) -> true));
                    case "map" -> handles.add(stream.map((k, v) -> new KeyValue<>(k, v)));
                    case "mapvalues" -> handles.add(stream.mapValues(v -> v));
                    case "selectkey" -> handles.add(stream.selectKey((k, v) -> k));
                    case "merge" -> handles.add(stream.merge((KStream<String, String>) handles.get(Integer.parseInt(w[2]))));
                    case "repartition" -> {
                        Repartitioned<String, String> r = Repartitioned.with(Serdes.String(), Serdes.String());
                        if (orNull(w[2]) != null) r = r.withName(w[2]);
                        if (orNull(w[3]) != null) r = r.withNumberOfPartitions(Integer.parseInt(w[3]));
                        handles.add(stream.repartition(r));
                    }
                    case "aggregate" -> handles.add(aggregate(stream, w));
                    case "tfilter" -> handles.add(table.filter((k, v) -> true));
                    case "tfilternot" -> handles.add(table.filterNot((k, v) -> true));
                    case "tmapvalues" -> handles.add(table.mapValues(v -> v));
                    case "tostream" -> handles.add(table.toStream());
                    case "to" -> {
                        stream.to(w[2]);
                        handles.add(null);
                    }
                    case "partitions" -> {
                        for (int i = 1; i < w.length; i++) partitions.put(w[i].split("=")[0], Integer.parseInt(w[i].split("=")[1]));
                    }
                    case "config" -> config.put(w[1].split("=")[0], w[1].split("=")[1]);
                    default -> throw new IllegalArgumentException(line);
                }
            }
            final Topology topology = builder.build();
            System.out.print(topology.describe());
            if (!partitions.isEmpty()) layout(topology, partitions, config);
        } catch (final Exception e) {
            System.out.println("!!! " + e);
        }
    }

    @SuppressWarnings("unchecked")
    private static Object aggregate(final KStream<String, String> stream, final String[] w) {
        Grouped<String, String> grouped = Grouped.with(Serdes.String(), Serdes.String());
        if (orNull(w[3]) != null) grouped = grouped.withName(w[3]);
        final Map<String, String> log = new HashMap<>();
        if (orNull(w[7]) != null) {
            for (final String pair : w[7].split(";")) log.put(pair.split("=")[0], pair.split("=")[1]);
        }
        if (orNull(w[4]) == null) {
            Materialized<String, String, KeyValueStore<Bytes, byte[]>> m =
                orNull(w[2]) == null ? Materialized.with(Serdes.String(), Serdes.String()) : Materialized.as(w[2]);
            m = m.withKeySerde(Serdes.String()).withValueSerde(Serdes.String()).withLoggingEnabled(log);
            return stream.groupByKey(grouped).aggregate(() -> "", (k, v, a) -> a, m);
        }
        Materialized<String, String, WindowStore<Bytes, byte[]>> m =
            orNull(w[2]) == null ? Materialized.with(Serdes.String(), Serdes.String()) : Materialized.as(w[2]);
        m = m.withKeySerde(Serdes.String()).withValueSerde(Serdes.String()).withLoggingEnabled(log);
        if (orNull(w[6]) != null) m = m.withRetention(Duration.ofMillis(Long.parseLong(w[6])));
        final TimeWindows windows = TimeWindows.ofSizeAndGrace(Duration.ofMillis(Long.parseLong(w[4])), Duration.ofMillis(Long.parseLong(w[5])));
        return stream.groupByKey(grouped).windowedBy(windows).aggregate(() -> "", (k, v, a) -> a, m);
    }

    /** The tasks and internal topics that Java would create, with their configs. */
    @SuppressWarnings("unchecked")
    private static void layout(final Topology topology, final Map<String, Integer> partitions, final Properties config) throws Exception {
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "localhost:1");
        final StreamsConfig streamsConfig = new StreamsConfig(config);
        final InternalTopologyBuilder builder = topology.internalTopologyBuilder;
        final TopologyMetadata metadata = new TopologyMetadata(builder, streamsConfig);
        metadata.buildAndRewriteTopology();
        final Map<String, Integer> counts = new TreeMap<>(partitions);
        final RepartitionTopics repartitionTopics =
            new RepartitionTopics(metadata, null, new CopartitionedTopicsEnforcer(""), cluster(counts), "");
        final Method compute = RepartitionTopics.class.getDeclaredMethod("computeRepartitionTopicConfig", Cluster.class);
        compute.setAccessible(true);
        final Map<String, InternalTopicConfig> repartition;
        try {
            repartition = (Map<String, InternalTopicConfig>) compute.invoke(repartitionTopics, cluster(counts));
        } catch (final java.lang.reflect.InvocationTargetException e) {
            throw (Exception) e.getCause();
        }
        for (final Set<String> group : metadata.copartitionGroups()) {
            new CopartitionedTopicsEnforcer("").enforce(group, repartition, cluster(counts));
        }
        final Map<String, String> defaults = new HashMap<>();
        streamsConfig.originalsWithPrefix(StreamsConfig.TOPIC_PREFIX).forEach((k, v) -> defaults.put(k, v.toString()));
        final long additional = streamsConfig.getLong(StreamsConfig.WINDOW_STORE_CHANGE_LOG_ADDITIONAL_RETENTION_MS_CONFIG);
        final Map<String, String> printed = new TreeMap<>();
        for (final InternalTopicConfig topic : repartition.values()) {
            counts.put(topic.name(), topic.numberOfPartitions().get());
            printed.put(topic.name(), topic.numberOfPartitions().get() + " " + new TreeMap<>(topic.properties(defaults, additional)));
        }
        final Map<TopologyMetadata.Subtopology, Set<String>> sources = new HashMap<>();
        builder.subtopologyToTopicsInfo().forEach((s, info) -> sources.put(s, info.sourceTopics));
        final Map<TaskId, Set<TopicPartition>> tasks = new TreeMap<>(new PartitionGrouper().partitionGroups(sources, cluster(counts)));
        builder.subtopologyToTopicsInfo().forEach((s, info) -> {
            final int max = info.sourceTopics.stream().mapToInt(counts::get).max().getAsInt();
            for (final InternalTopicConfig topic : info.nonSourceChangelogTopics()) {
                printed.put(topic.name(), max + " " + new TreeMap<>(topic.properties(defaults, additional)));
            }
        });
        tasks.forEach((task, set) -> System.out.println("task " + task + " " + new TreeSet<>(set.stream().map(Object::toString).toList())));
        printed.forEach((name, rest) -> System.out.println("topic " + name + " " + rest));
    }

    private static Cluster cluster(final Map<String, Integer> counts) {
        final List<PartitionInfo> infos = new ArrayList<>();
        counts.forEach((topic, n) -> {
            for (int p = 0; p < n; p++) infos.add(new PartitionInfo(topic, p, Node.noNode(), new Node[0], new Node[0]));
        });
        return new Cluster("c", List.of(), infos, new HashSet<>(), new HashSet<>());
    }
}
