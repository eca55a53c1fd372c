import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.processor.internals.InternalProcessorContext;
import org.apache.kafka.streams.processor.internals.ProcessorRecordContext;
import org.apache.kafka.streams.processor.internals.StreamTask;
import org.apache.kafka.streams.test.TestRecord;

/**
 * Runs scripts in Kafka Streams' test driver: one JSON text a line comes in, one goes out.
 *
 * <p>In: {@code {"script": [..], "config": {..}, "writing": "continue", "records": [{"topic", "key", "value", "timestamp", "headers"}]}},
 * bytes in base64. Out: {@code {"describe": "..", "written": [[{"topic", ..}], ..], "failed": ".."}}: what came of each record, until one failed.
 */
public final class Interpreter {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Interpreter() {
    }

    public static void main(final String[] args) throws Exception {
        final Path state = Path.of(args[0]);
        final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            final ObjectNode answer = JSON.createObjectNode();
            try {
                run(JSON.readTree(line), state, answer);
            } catch (final Exception e) {
                // Not a record's failure: the script cannot be built, or the interpreter has a defect.
                e.printStackTrace();
                answer.put("broken", String.valueOf(e));
            }
            out.println(JSON.writeValueAsString(answer));
            out.flush();
        }
    }

    /** Kafka Streams' properties for a script. */
    static Properties properties(final JsonNode asked, final Script script) {
        final Properties properties = new Properties();
        properties.put(StreamsConfig.DESERIALIZATION_EXCEPTION_HANDLER_CLASS_CONFIG, Handlers.Reading.class);
        properties.put(StreamsConfig.PROCESSING_EXCEPTION_HANDLER_CLASS_CONFIG, Handlers.Processing.class);
        properties.put(StreamsConfig.PRODUCTION_EXCEPTION_HANDLER_CLASS_CONFIG, Handlers.Writing.class);
        properties.put(Handlers.SCRIPT, script);
        properties.put(Handlers.WRITING, asked.get("writing").textValue());
        asked.get("config").properties().forEach(config -> properties.put(config.getKey(), config.getValue().asText()));
        return properties;
    }

    private static void run(final JsonNode asked, final Path state, final ObjectNode answer) throws Exception {
        final StreamTask[] task = new StreamTask[1];
        final Script script = new Script(asked.get("script"), () -> here(task[0]));
        final Topology topology = script.topology();
        answer.put("describe", topology.describe().toString());
        final Properties properties = properties(asked, script);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, state.toString());
        final ArrayNode written = answer.putArray("written");
        final TopologyTestDriver driver = new TopologyTestDriver(topology, properties);
        try {
            task[0] = (StreamTask) field(TopologyTestDriver.class, "task", driver);
            for (final JsonNode record : asked.get("records")) {
                try {
                    pipe(driver, record);
                } catch (final RuntimeException e) {
                    answer.put("failed", causes(e));
                    break;
                }
                final ArrayNode came = written.addArray();
                for (final String topic : new TreeSet<>(driver.producedTopicNames())) {
                    driver.createOutputTopic(topic, new ByteArrayDeserializer(), new ByteArrayDeserializer())
                        .readRecordsToList().forEach(output -> write(topic, output, came.addObject()));
                }
            }
        } finally {
            try {
                driver.close();
            } catch (final RuntimeException e) {
                // A task that failed may fail again when it closes.
                if (!answer.has("failed")) {
                    throw e;
                }
            }
        }
    }

    private static void pipe(final TopologyTestDriver driver, final JsonNode record) throws IOException {
        final Headers headers = new RecordHeaders();
        for (final JsonNode header : record.get("headers")) {
            headers.add(header.get(0).textValue(), header.get(1).isNull() ? null : header.get(1).binaryValue());
        }
        driver.createInputTopic(record.get("topic").textValue(), new ByteArraySerializer(), new ByteArraySerializer())
            .pipeInput(new TestRecord<>(bytes(record.get("key")), bytes(record.get("value")), headers, record.get("timestamp").longValue()));
    }

    private static byte[] bytes(final JsonNode base64) throws IOException {
        return base64.isNull() ? null : base64.binaryValue();
    }

    private static void write(final String topic, final TestRecord<byte[], byte[]> record, final ObjectNode out) {
        out.put("topic", topic);
        out.put("key", record.key());
        out.put("value", record.value());
        out.put("timestamp", record.timestamp());
        final ArrayNode headers = out.putArray("headers");
        for (final Header header : record.headers()) {
            headers.addArray().add(header.key()).add(header.value());
        }
    }

    /** Where the record that is being processed was read. */
    private static Script.Where here(final StreamTask task) {
        try {
            final InternalProcessorContext<?, ?> context =
                (InternalProcessorContext<?, ?>) field(StreamTask.class, "processorContext", task);
            final ProcessorRecordContext record = context.recordContext();
            return new Script.Where() {
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
        } catch (final ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object field(final Class<?> of, final String name, final Object object) throws ReflectiveOperationException {
        final Field field = of.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(object);
    }

    private static String causes(final Throwable error) {
        return error.getCause() == null ? String.valueOf(error) : error + " < " + causes(error.getCause());
    }
}
