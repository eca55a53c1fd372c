import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.streams.errors.DeserializationExceptionHandler;
import org.apache.kafka.streams.errors.ErrorHandlerContext;
import org.apache.kafka.streams.errors.ProcessingExceptionHandler;
import org.apache.kafka.streams.errors.ProductionExceptionHandler;
import org.apache.kafka.streams.processor.api.Record;

/** Kafka Streams' handlers are one for an application; these do what each topic and pipeline of a script says. */
public final class Handlers {
    /** The property that hands them the script. */
    static final String SCRIPT = "interpreter.script";
    /** The property that says what happens to what cannot be written: {@code fail} or {@code continue}. */
    static final String WRITING = "interpreter.writing";

    private Handlers() {
    }

    /** For records that cannot be read. */
    public static final class Reading implements DeserializationExceptionHandler {
        private Script script;

        @Override
        public void configure(final Map<String, ?> configs) {
            script = (Script) configs.get(SCRIPT);
        }

        @Override
        public Response handleError(final ErrorHandlerContext context, final ConsumerRecord<byte[], byte[]> record, final Exception exception) {
            return "fail".equals(script.reading.get(context.topic())) ? Response.fail() : Response.resume();
        }
    }

    /** For records for which a step fails. */
    public static final class Processing implements ProcessingExceptionHandler {
        private Script script;

        @Override
        public void configure(final Map<String, ?> configs) {
            script = (Script) configs.get(SCRIPT);
        }

        @Override
        public Response handleError(final ErrorHandlerContext context, final Record<?, ?> record, final Exception exception) {
            if (Boolean.getBoolean("interpreter.verbose")) {
                exception.printStackTrace();
            }
            final String policy = exception instanceof Failed failed && failed.policy != null
                ? failed.policy
                : script.processing.get(context.processorNodeId());
            return "continue".equals(policy) ? Response.resume() : Response.fail();
        }
    }

    /** For records that cannot be written. */
    public static final class Writing implements ProductionExceptionHandler {
        private boolean goesOn;

        @Override
        public void configure(final Map<String, ?> configs) {
            goesOn = "continue".equals(configs.get(WRITING));
        }

        @Override
        public Response handleError(final ErrorHandlerContext context, final ProducerRecord<byte[], byte[]> record, final Exception exception) {
            return goesOn ? Response.resume() : Response.fail();
        }

        @Override
        @SuppressWarnings("rawtypes")
        public Response handleSerializationError(
            final ErrorHandlerContext context,
            final ProducerRecord record,
            final Exception exception,
            final SerializationExceptionOrigin origin
        ) {
            return goesOn ? Response.resume() : Response.fail();
        }
    }
}
