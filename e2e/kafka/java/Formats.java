import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/**
 * The formats of keys and values, over plain objects: Boolean, Long, Double, String, byte[], Instant, Duration, List, Map, and null
 * within lists and maps. Integers of more than 64 bits stay BigInteger: they pass, and cannot be read.
 */
final class Formats {
    /** The JSON text {@code null} as a whole key or value, which is not Kafka's null. */
    static final Object JSON_NULL = new Object() {
        @Override
        public String toString() {
            return "null";
        }
    };

    private static final ObjectMapper MAPPER = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final JsonFactory FACTORY = MAPPER.getFactory();

    private Formats() {
    }

    static Serde<Object> serde(final String format) {
        return new Serde<>() {
            @Override
            public Serializer<Object> serializer() {
                return (topic, value) -> value == null ? null : write(format, Aggregation.view(value));
            }

            @Override
            public Deserializer<Object> deserializer() {
                return (topic, bytes) -> bytes == null ? null : read(format, bytes);
            }
        };
    }

    /** What a store holds of an aggregation: its state, not what follows from it. */
    static Serde<Object> stateSerde(final Aggregation aggregation) {
        return new Serde<>() {
            @Override
            public Serializer<Object> serializer() {
                return (topic, state) -> state == null ? null : json(((Aggregation.State) state).fields());
            }

            @Override
            public Deserializer<Object> deserializer() {
                return (topic, bytes) -> bytes == null ? null : aggregation.state(read("json", bytes));
            }
        };
    }

    static Object read(final String format, final byte[] bytes) {
        switch (format) {
            case "string":
                return new String(bytes, StandardCharsets.UTF_8);
            case "bytes":
                return bytes;
            case "long":
            case "double":
                if (bytes.length != 8) {
                    throw new SerializationException(format + " has 8 bytes, not " + bytes.length);
                }
                final ByteBuffer buffer = ByteBuffer.wrap(bytes);
                return format.equals("long") ? (Object) buffer.getLong() : (Object) buffer.getDouble();
            case "json":
                try {
                    final JsonNode node = MAPPER.readTree(bytes);
                    if (node == null || node.isMissingNode()) {
                        throw new SerializationException("nothing is no JSON");
                    }
                    return node.isNull() ? JSON_NULL : plain(node);
                } catch (final IOException e) {
                    throw new SerializationException(e);
                }
            default:
                throw new IllegalArgumentException(format);
        }
    }

    private static byte[] write(final String format, final Object value) {
        if (format.equals("json")) {
            return json(value);
        }
        if (format.equals("string") && value instanceof String text) {
            return text.getBytes(StandardCharsets.UTF_8);
        }
        if (format.equals("long") && value instanceof Long number) {
            return ByteBuffer.allocate(8).putLong(number).array();
        }
        if (format.equals("double") && value instanceof Double number) {
            return ByteBuffer.allocate(8).putLong(Double.doubleToLongBits(number)).array();
        }
        if (format.equals("double") && value instanceof Long number) {
            return ByteBuffer.allocate(8).putLong(Double.doubleToLongBits(number.doubleValue())).array();
        }
        if (format.equals("bytes") && value instanceof byte[] bytes) {
            return bytes;
        }
        if (format.equals("bytes") && value instanceof String text) {
            return text.getBytes(StandardCharsets.UTF_8);
        }
        throw new SerializationException("the format is " + format + ", and the value " + value);
    }

    static Object plain(final JsonNode node) {
        if (node.isNull()) {
            return null;
        } else if (node.isBoolean()) {
            return node.booleanValue();
        } else if (node.isBigInteger()) {
            return node.bigIntegerValue();
        } else if (node.isIntegralNumber()) {
            return node.longValue();
        } else if (node.isNumber()) {
            return node.doubleValue();
        } else if (node.isTextual()) {
            return node.textValue();
        } else if (node.isArray()) {
            final List<Object> list = new ArrayList<>();
            node.forEach(element -> list.add(plain(element)));
            return list;
        }
        final Map<String, Object> map = new LinkedHashMap<>();
        node.properties().forEach(field -> map.put(field.getKey(), plain(field.getValue())));
        return map;
    }

    private static byte[] json(final Object value) {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (JsonGenerator generator = FACTORY.createGenerator(out)) {
            json(value, generator);
        } catch (final IOException e) {
            throw new SerializationException(e);
        }
        return out.toByteArray();
    }

    private static void json(final Object value, final JsonGenerator out) throws IOException {
        if (value == null || value == JSON_NULL) {
            out.writeNull();
        } else if (value instanceof Boolean truth) {
            out.writeBoolean(truth);
        } else if (value instanceof Long number) {
            out.writeNumber(number);
        } else if (value instanceof BigInteger number) {
            out.writeNumber(number);
        } else if (value instanceof Double number) {
            if (!Double.isFinite(number)) {
                throw new SerializationException("JSON cannot write " + number);
            }
            out.writeNumber(number);
        } else if (value instanceof String text) {
            out.writeString(text);
        } else if (value instanceof byte[] bytes) {
            out.writeBinary(bytes);
        } else if (value instanceof Instant time) {
            out.writeString(Text.of(time));
        } else if (value instanceof Duration length) {
            out.writeString(Text.of(length));
        } else if (value instanceof List<?> list) {
            out.writeStartArray();
            for (final Object element : list) {
                json(element, out);
            }
            out.writeEndArray();
        } else if (value instanceof Map<?, ?> map) {
            out.writeStartObject();
            for (final Map.Entry<?, ?> field : map.entrySet()) {
                out.writeFieldName((String) field.getKey());
                json(field.getValue(), out);
            }
            out.writeEndObject();
        } else {
            throw new SerializationException("no JSON for " + value);
        }
    }
}
