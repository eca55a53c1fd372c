import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The figures of an aggregate step, each one call. */
final class Aggregation {
    private record Call(String field, String function, JsonNode argument) {
    }

    private final List<Call> calls = new ArrayList<>();

    /** {@code [{"field": .., "function": .., "argument": expression or null}, ..]}. */
    Aggregation(final JsonNode fields) {
        fields.forEach(field -> calls.add(new Call(
            field.get("field").textValue(),
            field.get("function").textValue(),
            field.get("argument").isNull() ? null : field.get("argument"))));
    }

    /** What the store holds; steps after the aggregation see {@link #view}. */
    final class State {
        private final Map<String, Object> fields;

        private State(final Map<String, Object> fields) {
            this.fields = fields;
        }

        Map<String, Object> fields() {
            return fields;
        }

        private Map<String, Object> figures() {
            final Map<String, Object> figures = new LinkedHashMap<>();
            for (final Call call : calls) {
                final Object value = fields.get(call.field);
                figures.put(call.field, call.function.equals("avg") ? mean((Map<?, ?>) value) : value);
            }
            return figures;
        }
    }

    /** A record's value as steps see it: of an aggregation's state the figures. */
    static Object view(final Object value) {
        return value instanceof State state ? state.figures() : value;
    }

    State state(final Object fields) {
        final Map<String, Object> map = new LinkedHashMap<>();
        ((Map<?, ?>) fields).forEach((name, value) -> map.put((String) name, value));
        return new State(map);
    }

    State initial() {
        final Map<String, Object> fields = new LinkedHashMap<>();
        for (final Call call : calls) {
            fields.put(call.field, switch (call.function) {
                case "sum", "count" -> 0L;
                case "avg" -> average(0L, 0L);
                default -> null;
            });
        }
        return new State(fields);
    }

    State add(final State before, final Eval.Scope scope) {
        final Map<String, Object> after = new LinkedHashMap<>();
        for (final Call call : calls) {
            final Object argument = call.argument == null ? Boolean.TRUE : Eval.eval(call.argument, scope);
            final Object value = before.fields.get(call.field);
            after.put(call.field, argument == null ? value : next(call.function, value, argument));
        }
        return new State(after);
    }

    private static Object next(final String function, final Object state, final Object argument) {
        switch (function) {
            case "count":
                return (Long) state + 1;
            case "sum":
                return sum(state, argument);
            case "avg":
                final Map<?, ?> parts = (Map<?, ?>) state;
                return average(sum(parts.get("sum"), argument), (Long) parts.get("count") + 1);
            case "min":
            case "max":
                // What has no order is refused at once.
                Eval.compare(argument, argument);
                if (state == null) {
                    return argument;
                }
                final int order = Eval.compare(argument, state);
                return (function.equals("min") ? order < 0 : order > 0) ? argument : state;
            case "first":
                return state == null ? argument : state;
            case "last":
                return argument;
            default:
                throw new IllegalArgumentException(function);
        }
    }

    private static Object sum(final Object state, final Object argument) {
        if (!(argument instanceof Long || argument instanceof Double)) {
            throw new Failed("a sum takes numbers");
        }
        return Eval.arithmetic("+", state, argument);
    }

    private static Map<String, Object> average(final Object sum, final long count) {
        final Map<String, Object> parts = new LinkedHashMap<>();
        parts.put("sum", sum);
        parts.put("count", count);
        return parts;
    }

    private static Object mean(final Map<?, ?> parts) {
        final long count = (Long) parts.get("count");
        return count == 0 ? null : ((Number) parts.get("sum")).doubleValue() / count;
    }
}
