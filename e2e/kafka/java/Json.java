import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** JSON values by Jackson: the whole record must be one JSON text; anything else is a deserialization error. */
final class Json implements Serde<JsonNode> {
    static final ObjectMapper MAPPER = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    @Override
    public Serializer<JsonNode> serializer() {
        return (topic, node) -> {
            try {
                return node == null ? null : MAPPER.writeValueAsBytes(node);
            } catch (final JsonProcessingException e) {
                throw new SerializationException(e);
            }
        };
    }

    @Override
    public Deserializer<JsonNode> deserializer() {
        return (topic, bytes) -> {
            if (bytes == null) {
                return null;
            }
            try {
                final JsonNode node = MAPPER.readTree(bytes);
                if (node == null || node.isMissingNode()) {
                    throw new SerializationException("an empty value is no JSON");
                }
                return node;
            } catch (final IOException e) {
                throw new SerializationException(e);
            }
        };
    }

    /** The number in a field; an absent value, an absent field and what is no number are errors of processing. */
    static JsonNode number(final JsonNode value, final String field) {
        if (value == null || !value.isObject() || !value.has(field)) {
            throw new IllegalArgumentException("no field " + field);
        }
        final JsonNode number = value.get(field);
        if (!number.isNumber()) {
            throw new IllegalArgumentException(field + " is no number");
        }
        return number;
    }

    static boolean isPositive(final JsonNode number) {
        return isInt(number) ? number.longValue() > 0 : number.doubleValue() > 0;
    }

    /** An integer fits 64 bits or is an error; whatever has a fraction or an exponent is a double. */
    static boolean isInt(final JsonNode number) {
        if (number.isBigInteger()) {
            throw new ArithmeticException("an integer of more than 64 bits");
        }
        return number.isIntegralNumber();
    }
}
