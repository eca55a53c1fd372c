import java.util.HashMap;
import java.util.Map;
import java.util.Properties;

/** Command line of the reference applications: {@code --name value} pairs, and {@code --config key=value} any number of times. */
final class Args {
    private final Map<String, String> values = new HashMap<>();
    private final Properties config = new Properties();

    Args(final String[] args) {
        if (args.length % 2 != 0) {
            throw new IllegalArgumentException("every option takes one value");
        }
        for (int i = 0; i < args.length; i += 2) {
            if (!args[i].startsWith("--")) {
                throw new IllegalArgumentException("not an option: " + args[i]);
            }
            if (args[i].equals("--config")) {
                final int eq = args[i + 1].indexOf('=');
                config.setProperty(args[i + 1].substring(0, eq), args[i + 1].substring(eq + 1));
            } else {
                values.put(args[i].substring(2), args[i + 1]);
            }
        }
    }

    String required(final String name) {
        final String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }

    String or(final String name, final String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    /** What was given by --config: Kafka Streams' own property names. */
    Properties config() {
        return config;
    }
}
