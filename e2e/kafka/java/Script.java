import com.fasterxml.jackson.databind.JsonNode;
import java.lang.reflect.Field;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.TimeWindowedDeserializer;
import org.apache.kafka.streams.kstream.TimeWindowedSerializer;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.AbstractStream;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * A topology from a list of the DSL's calls. The n-th call makes handle n, and later calls name what they work on by its number.
 *
 * <p>Keys and values are plain objects, see {@link Formats}; keys after an aggregation in windows are {@link Windowed}.
 */
final class Script {
    /** Where a record was read, its time and headers: what the DSL's functions are not told. */
    interface Where {
        String topic();

        int partition();

        long offset();

        long timestamp();

        Headers headers();
    }

    /** What happens to records that cannot be read, by topic: {@code fail} or {@code continue}. */
    final Map<String, String> reading = new HashMap<>();
    /** What happens to records for which a node fails, by the node's name. */
    final Map<String, String> processing = new HashMap<>();
    private final StreamsBuilder builder = new StreamsBuilder();
    private final List<Object> handles = new ArrayList<>();
    private final Supplier<Where> where;

    /** The supplier is asked while a record is processed. */
    Script(final JsonNode calls, final Supplier<Where> where) {
        this.where = where;
        calls.forEach(call -> handles.add(call(call)));
    }

    Topology topology() {
        return builder.build();
    }

    private record At(Object rawKey, Object rawValue, Where where) implements Eval.Scope {
        @Override
        public Object name(final String name) {
            return switch (name) {
                case "key" -> known(rawKey instanceof Windowed<?> windowed ? windowed.key() : rawKey);
                case "value" -> known(Aggregation.view(rawValue));
                case "timestamp" -> Eval.inRange(java.time.Instant.ofEpochMilli(where.timestamp()));
                case "topic" -> where.topic();
                case "partition" -> (long) where.partition();
                case "offset" -> where.offset();
                case "window.start" -> ((Windowed<?>) rawKey).window().startTime();
                case "window.end" -> ((Windowed<?>) rawKey).window().endTime();
                default -> throw new IllegalArgumentException("nothing is called " + name);
            };
        }

        private static Object known(final Object value) {
            return value == Formats.JSON_NULL ? null : value;
        }

        @Override
        public byte[] header(final String name) {
            final Header header = where.headers().lastHeader(name);
            return header == null ? null : header.value() == null ? new byte[0] : header.value();
        }
    }

    private Eval.Scope at(final Object key, final Object value) {
        return new At(key, value, where.get());
    }

    /** Runs a step's function; what fails carries what its pipeline does with that. */
    private static <T> T step(final String onError, final Supplier<T> function) {
        try {
            return function.get();
        } catch (final Failed failed) {
            throw failed.in(onError);
        }
    }

    private Object call(final JsonNode call) {
        final String onError = call.path("onError").asText("continue");
        final Object on = call.has("in") ? handles.get(call.get("in").intValue()) : null;
        switch (call.get("op").textValue()) {
            case "stream":
                return stream(call, onError);
            case "merge":
                return stream(on).merge(stream(handles.get(call.get("other").intValue())));
            case "filter":
                final JsonNode condition = call.get("condition");
                final boolean negate = call.get("negate").booleanValue();
                if (on instanceof KTable<?, ?>) {
                    return negate
                        ? table(on).filterNot((key, value) -> step(onError, () -> Eval.truth(Eval.eval(condition, at(key, value)))))
                        : table(on).filter((key, value) -> step(onError, () -> Eval.truth(Eval.eval(condition, at(key, value)))));
                }
                return negate
                    ? stream(on).filterNot((key, value) -> step(onError, () -> Eval.truth(Eval.eval(condition, at(key, value)))))
                    : stream(on).filter((key, value) -> step(onError, () -> Eval.truth(Eval.eval(condition, at(key, value)))));
            case "mapValues":
                return on instanceof KTable<?, ?>
                    ? table(on).mapValues((key, value) -> step(onError, () -> output(call.get("output"), at(key, value))))
                    : stream(on).mapValues((key, value) -> step(onError, () -> output(call.get("output"), at(key, value))));
            case "map":
                return stream(on).map((key, value) -> step(onError, () -> {
                    final Eval.Scope scope = at(key, value);
                    return new KeyValue<>(Eval.eval(call.get("key"), scope), output(call.get("output"), scope));
                }));
            case "selectKey":
                return stream(on).selectKey((key, value) -> step(onError, () -> key(call, at(key, value))));
            case "unwindow":
                return stream(on).map((key, value) -> new KeyValue<>(((Windowed<?>) key).key(), value));
            case "repartition":
                Repartitioned<Object, Object> repartitioned = Repartitioned.<Object, Object>as(call.get("name").textValue())
                    .withKeySerde(Formats.serde(call.get("keyFormat").textValue()))
                    .withValueSerde(Formats.serde(call.get("valueFormat").textValue()));
                if (call.get("partitions").isInt()) {
                    repartitioned = repartitioned.withNumberOfPartitions(call.get("partitions").intValue());
                }
                return stream(on).repartition(repartitioned);
            case "aggregate":
                final Object table = aggregate(call, stream(on), onError);
                processing.put(nameOf(table), onError);
                return table;
            case "toStream":
                return table(on).toStream();
            case "to":
                stream(on).to(call.get("topic").textValue(), Produced.with(
                    sinkKey(call),
                    Formats.serde(call.get("valueFormat").textValue())));
                return null;
            default:
                throw new IllegalArgumentException(call.toString());
        }
    }

    private KStream<Object, Object> stream(final JsonNode call, final String onError) {
        final List<String> topics = new ArrayList<>();
        call.get("topics").forEach(topic -> topics.add(topic.textValue()));
        topics.forEach(topic -> reading.put(topic, onError));
        Consumed<Object, Object> consumed = Consumed.with(
            Formats.serde(call.get("keyFormat").textValue()),
            Formats.serde(call.get("valueFormat").textValue()));
        final JsonNode time = call.get("timestamp");
        if (!time.isNull()) {
            consumed = consumed.withTimestampExtractor((record, partitionTime) -> {
                try {
                    final Object value = Eval.eval(time, new At(record.key(), record.value(), read(record)));
                    if (value instanceof java.time.Instant instant) {
                        return instant.toEpochMilli();
                    } else if (value instanceof Long millis) {
                        return millis;
                    }
                    throw new Failed("no time: " + value);
                } catch (final Failed failed) {
                    if (onError.equals("fail")) {
                        throw failed;
                    }
                    // A negative time skips the record.
                    return -1;
                }
            });
        }
        return builder.stream(topics, consumed);
    }

    private static Where read(final ConsumerRecord<Object, Object> record) {
        return new Where() {
            @Override
            public String topic() {
                return record.topic();
            }

            @Override
            public int partition() {
                return record.partition();
            }

            @Override
            public long offset() {
                return record.offset();
            }

            @Override
            public long timestamp() {
                return record.timestamp();
            }

            @Override
            public Headers headers() {
                return record.headers();
            }
        };
    }

    /** A group's key must fit the format in which it goes on. */
    private static Object key(final JsonNode call, final Eval.Scope scope) {
        final Object key = Eval.eval(call.get("by"), scope);
        final boolean fits = key == null || switch (call.path("checked").asText("json")) {
            case "string" -> key instanceof String;
            case "long" -> key instanceof Long;
            case "double" -> key instanceof Double || key instanceof Long;
            case "bytes" -> key instanceof byte[] || key instanceof String;
            default -> true;
        };
        if (!fits) {
            throw new Failed("the group's keys have another format: " + key);
        }
        return key;
    }

    private static Object output(final JsonNode output, final Eval.Scope scope) {
        final JsonNode content = output.get(1);
        final String kind = output.get(0).textValue();
        if (kind.equals("expression")) {
            return Eval.eval(content, scope);
        }
        final Map<String, Object> object = new LinkedHashMap<>();
        if (!kind.equals("fields")) {
            if (!(scope.name("value") instanceof Map<?, ?> before)) {
                throw new Failed("the value is no object");
            }
            before.forEach((name, value) -> object.put((String) name, value));
        }
        if (kind.equals("drop")) {
            content.forEach(name -> object.remove(name.textValue()));
        } else {
            content.forEach(field -> object.put(field.get(0).textValue(), Eval.eval(field.get(1), scope)));
        }
        return object;
    }

    @SuppressWarnings("unchecked")
    private Object aggregate(final JsonNode call, final KStream<Object, Object> stream, final String onError) {
        final Aggregation aggregation = new Aggregation(call.get("fields"));
        final Serde<Object> keys = Formats.serde(call.get("keyFormat").textValue());
        final Grouped<Object, Object> grouped = Grouped.with(keys, Formats.serde(call.get("valueFormat").textValue()));
        final KGroupedStream<Object, Object> groups = call.get("by").isNull()
            ? stream.groupByKey(grouped)
            : stream.groupBy((key, value) -> step(onError, () -> key(call, at(key, value))), grouped);
        final Map<String, String> changelog = new HashMap<>();
        call.get("changelog").properties().forEach(config -> changelog.put(config.getKey(), config.getValue().asText()));
        final boolean cache = call.get("cache").booleanValue();
        final JsonNode window = call.get("window");
        if (window.isNull()) {
            Materialized<Object, Object, KeyValueStore<Bytes, byte[]>> as = Materialized.as(call.get("name").textValue());
            as = as.withKeySerde(keys).withValueSerde(Formats.stateSerde(aggregation)).withLoggingEnabled(changelog);
            return groups.aggregate(
                aggregation::initial,
                (key, value, state) -> step(onError, () -> aggregation.add((Aggregation.State) state, at(key, value))),
                cache ? as.withCachingEnabled() : as.withCachingDisabled());
        }
        Materialized<Object, Object, WindowStore<Bytes, byte[]>> as = Materialized.as(call.get("name").textValue());
        as = as.withKeySerde(keys).withValueSerde(Formats.stateSerde(aggregation)).withLoggingEnabled(changelog);
        if (call.get("retention").isNumber()) {
            as = as.withRetention(Duration.ofMillis(call.get("retention").longValue()));
        }
        return groups
            .windowedBy(TimeWindows.ofSizeAndGrace(
                Duration.ofMillis(window.get("size").longValue()),
                Duration.ofMillis(window.get("grace").longValue())))
            .aggregate(
                aggregation::initial,
                (key, value, state) -> step(onError, () -> aggregation.add((Aggregation.State) state, at(key, value))),
                cache ? as.withCachingEnabled() : as.withCachingDisabled());
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Serde<Object> sinkKey(final JsonNode call) {
        final Serde<Object> plain = Formats.serde(call.get("keyFormat").textValue());
        if (!call.get("windowed").booleanValue()) {
            return plain;
        }
        return (Serde<Object>) (Serde) Serdes.serdeFrom(
            new TimeWindowedSerializer<>(plain.serializer()),
            new TimeWindowedDeserializer<>(plain.deserializer(), Long.MAX_VALUE));
    }

    /** The node's name in the topology, which the DSL does not tell. */
    private static String nameOf(final Object handle) {
        try {
            final Field name = AbstractStream.class.getDeclaredField("name");
            name.setAccessible(true);
            return (String) name.get(handle);
        } catch (final ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    @SuppressWarnings("unchecked")
    private static KStream<Object, Object> stream(final Object handle) {
        return (KStream<Object, Object>) handle;
    }

    @SuppressWarnings("unchecked")
    private static KTable<Object, Object> table(final Object handle) {
        return (KTable<Object, Object>) handle;
    }
}
