import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Map;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/** The topologies that Millrace is compared with. */
final class Apps {
    private Apps() {
    }

    static Topology named(final String name, final String in, final String out) {
        return switch (name) {
            case "totals" -> totals(in, out);
            case "filter" -> filter(in, out);
            case "by-shop" -> byShop(in, out);
            default -> throw new IllegalArgumentException("no application named " + name);
        };
    }

    /** Five-minute totals per user: positive amounts, summed and counted in tumbling windows without grace. */
    static Topology totals(final String in, final String out) {
        final StreamsBuilder builder = new StreamsBuilder();
        builder.stream(in, Consumed.with(Serdes.String(), new Json()))
            .filter((key, value) -> Json.isPositive(Json.number(value, "amount")))
            .groupByKey(Grouped.with(Serdes.String(), new Json()))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(5)))
            .aggregate(
                () -> JsonNodeFactory.instance.objectNode().put("totalAmount", 0L).put("count", 0L),
                (key, value, total) -> add(total, Json.number(value, "amount")),
                Materialized.<String, JsonNode, WindowStore<Bytes, byte[]>>as("user-5min-totals")
                    .withValueSerde(new Json())
                    .withLoggingEnabled(Map.of("retention.ms", "86400000", "segment.bytes", "104857600")))
            .toStream()
            .map((windowed, total) -> new KeyValue<>(windowed.key(), total))
            .to(out, Produced.with(Serdes.String(), new Json()));
        return builder.build();
    }

    /** Integers add up as integers, overflow being an error; the first fractional amount turns the total into a double. */
    private static JsonNode add(final JsonNode total, final JsonNode amount) {
        final JsonNode before = total.get("totalAmount");
        final ObjectNode after = JsonNodeFactory.instance.objectNode();
        if (Json.isInt(before) && Json.isInt(amount)) {
            after.put("totalAmount", Math.addExact(before.longValue(), amount.longValue()));
        } else {
            after.put("totalAmount", before.doubleValue() + amount.doubleValue());
        }
        return after.put("count", total.get("count").longValue() + 1);
    }

    /** Totals per shop, over all time: another key than the input's, so they go through a repartition topic. */
    static Topology byShop(final String in, final String out) {
        final StreamsBuilder builder = new StreamsBuilder();
        builder.stream(in, Consumed.with(Serdes.String(), new Json()))
            .filter((key, value) -> Json.isPositive(Json.number(value, "amount")))
            .groupBy((key, value) -> value.get("shop").textValue(), Grouped.with("shop-totals", Serdes.String(), new Json()))
            .aggregate(
                () -> JsonNodeFactory.instance.objectNode().put("total", 0L).put("orders", 0L).put("largest", Long.MIN_VALUE),
                (shop, value, total) -> order(total, Json.number(value, "amount").longValue()),
                Materialized.<String, JsonNode, KeyValueStore<Bytes, byte[]>>as("shop-totals")
                    .withKeySerde(Serdes.String())
                    .withValueSerde(new Json()))
            .mapValues(Apps::withAverage)
            .toStream()
            .to(out, Produced.with(Serdes.String(), new Json()));
        return builder.build();
    }

    private static JsonNode withAverage(final JsonNode total) {
        final ObjectNode with = total.deepCopy();
        return with.put("average", total.get("total").doubleValue() / total.get("orders").doubleValue());
    }

    private static JsonNode order(final JsonNode total, final long amount) {
        return JsonNodeFactory.instance.objectNode()
            .put("total", Math.addExact(total.get("total").longValue(), amount))
            .put("orders", total.get("orders").longValue() + 1)
            .put("largest", Math.max(total.get("largest").longValue(), amount));
    }

    /** Records with a large amount, unchanged. */
    static Topology filter(final String in, final String out) {
        final StreamsBuilder builder = new StreamsBuilder();
        builder.stream(in, Consumed.with(Serdes.String(), new Json()))
            .filter((key, value) -> Json.number(value, "amount").doubleValue() > 500)
            .to(out, Produced.with(Serdes.String(), new Json()));
        return builder.build();
    }
}
