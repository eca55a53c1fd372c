import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The language's expressions, given as syntax trees: {@code ["+", ["field", ["name", "value"], "price"], ["int", 1]]}.
 *
 * <p>Written after the language's guide and CEL's definition, not after Millrace.
 */
final class Eval {
    /** The names that an expression may use. */
    interface Scope {
        /** {@code key}, {@code value}, {@code timestamp}, {@code topic}, {@code partition}, {@code offset}, {@code window.start}, {@code window.end}. */
        Object name(String name);

        /** The value of the last header of this name, or null. */
        byte[] header(String name);
    }

    /** The variable of a macro, before all other names. */
    private record Inner(String variable, Object value, Scope outer) implements Scope {
        @Override
        public Object name(final String name) {
            return name.equals(variable) ? value : outer.name(name);
        }

        @Override
        public byte[] header(final String name) {
            return outer.header(name);
        }
    }

    private static final Object EMPTY = new Object();

    private Eval() {
    }

    static Object eval(final JsonNode e, final Scope scope) {
        final String op = e.get(0).textValue();
        switch (op) {
            case "null":
                return null;
            case "bool":
                return e.get(1).booleanValue();
            case "int":
                return e.get(1).longValue();
            case "double":
                return Double.valueOf(e.get(1).textValue());
            case "str":
                return e.get(1).textValue();
            case "name":
                return readable(scope.name(e.get(1).textValue()));
            case "header":
                final byte[] header = scope.header(e.get(1).textValue());
                if (header == null) {
                    throw new Failed("no header " + e.get(1));
                }
                return header;
            case "hasHeader":
                return scope.header(e.get(1).textValue()) != null;
            case "field":
                return field(eval(e.get(1), scope), e.get(2).textValue());
            case "has":
                return object(eval(e.get(1), scope)).containsKey(e.get(2).textValue());
            case "index":
                return index(eval(e.get(1), scope), eval(e.get(2), scope));
            case "orValue":
                final Object found = optional(e.get(1), scope);
                return found == EMPTY ? eval(e.get(2), scope) : found;
            case "hasValue":
                return optional(e.get(1), scope) != EMPTY;
            case "&&":
                return either(e, scope, false);
            case "||":
                return either(e, scope, true);
            case "!":
                return !truth(eval(e.get(1), scope));
            case "neg":
                return negated(eval(e.get(1), scope));
            case "?":
                return eval(truth(eval(e.get(1), scope)) ? e.get(2) : e.get(3), scope);
            case "==":
                return equal(eval(e.get(1), scope), eval(e.get(2), scope));
            case "!=":
                return !equal(eval(e.get(1), scope), eval(e.get(2), scope));
            case "<":
                return compare(eval(e.get(1), scope), eval(e.get(2), scope)) < 0;
            case "<=":
                return compare(eval(e.get(1), scope), eval(e.get(2), scope)) <= 0;
            case ">":
                return compare(eval(e.get(1), scope), eval(e.get(2), scope)) > 0;
            case ">=":
                return compare(eval(e.get(1), scope), eval(e.get(2), scope)) >= 0;
            case "+":
            case "-":
            case "*":
            case "/":
            case "%":
                return arithmetic(op, eval(e.get(1), scope), eval(e.get(2), scope));
            case "in":
                return in(eval(e.get(1), scope), eval(e.get(2), scope));
            case "list":
                final List<Object> list = new ArrayList<>();
                for (int i = 1; i < e.size(); i++) {
                    list.add(eval(e.get(i), scope));
                }
                return list;
            case "object":
                final Map<String, Object> map = new LinkedHashMap<>();
                for (int i = 1; i < e.size(); i++) {
                    map.put(e.get(i).get(0).textValue(), eval(e.get(i).get(1), scope));
                }
                return map;
            case "macro":
                return macro(e, scope);
            case "call":
                final Object[] arguments = new Object[e.size() - 2];
                for (int i = 0; i < arguments.length; i++) {
                    arguments[i] = eval(e.get(i + 2), scope);
                }
                return Functions.call(e.get(1).textValue(), arguments);
            default:
                throw new IllegalArgumentException("no expression " + op);
        }
    }

    static boolean truth(final Object value) {
        if (value instanceof Boolean truth) {
            return truth;
        }
        throw new Failed("neither true nor false: " + value);
    }

    /** A JSON integer of more than 64 bits can pass, but not be read. */
    private static Object readable(final Object value) {
        if (value instanceof BigInteger) {
            throw new Failed("more than 64 bits: " + value);
        }
        return value;
    }

    private static Map<?, ?> object(final Object value) {
        if (value instanceof Map<?, ?> map) {
            return map;
        }
        throw new Failed("no object: " + value);
    }

    private static Object field(final Object value, final String name) {
        final Map<?, ?> map = object(value);
        if (!map.containsKey(name)) {
            throw new Failed("absent: " + name);
        }
        return readable(map.get(name));
    }

    /** The value of an optional, or EMPTY. Of what has no such field nothing is there; what is before the question must be. */
    private static Object optional(final JsonNode e, final Scope scope) {
        if (!e.get(0).textValue().equals("optField")) {
            return eval(e, scope);
        }
        final Object of = optional(e.get(1), scope);
        final String name = e.get(2).textValue();
        return of instanceof Map<?, ?> map && map.containsKey(name) ? readable(map.get(name)) : EMPTY;
    }

    private static Object index(final Object of, final Object index) {
        if (of instanceof Map<?, ?> && index instanceof String name) {
            return field(of, name);
        }
        if (of instanceof List<?> list && (index instanceof Long || index instanceof Double)) {
            final double position = ((Number) index).doubleValue();
            if (position == Math.rint(position) && position >= 0 && position < list.size()) {
                return readable(list.get((int) position));
            }
        }
        throw new Failed("no element " + index);
    }

    /** A side that decides wins over an error on the other side. */
    private static boolean either(final JsonNode e, final Scope scope, final boolean decisive) {
        Failed failed = null;
        for (int i = 1; i <= 2; i++) {
            try {
                if (truth(eval(e.get(i), scope)) == decisive) {
                    return decisive;
                }
            } catch (final Failed error) {
                failed = error;
            }
        }
        if (failed != null) {
            throw failed;
        }
        return !decisive;
    }

    private static Object macro(final JsonNode e, final Scope scope) {
        final String kind = e.get(1).textValue();
        final Object over = eval(e.get(2), scope);
        final Iterable<?> elements;
        if (over instanceof List<?> list) {
            elements = list;
        } else {
            elements = object(over).keySet();
        }
        final String variable = e.get(3).textValue();
        final JsonNode body = e.get(4);
        final List<Object> results = new ArrayList<>();
        final boolean decisive = kind.equals("exists");
        int matches = 0;
        Failed failed = null;
        for (final Object element : elements) {
            final Scope inner = new Inner(variable, readable(element), scope);
            switch (kind) {
                case "map" -> results.add(eval(body, inner));
                case "filter" -> {
                    if (truth(eval(body, inner))) {
                        results.add(element);
                    }
                }
                case "exists_one" -> matches += truth(eval(body, inner)) ? 1 : 0;
                case "all", "exists" -> {
                    try {
                        if (truth(eval(body, inner)) == decisive) {
                            return decisive;
                        }
                    } catch (final Failed error) {
                        failed = error;
                    }
                }
                default -> throw new IllegalArgumentException(kind);
            }
        }
        if (failed != null) {
            throw failed;
        }
        return switch (kind) {
            case "map", "filter" -> results;
            case "exists_one" -> matches == 1;
            default -> !decisive;
        };
    }

    private static Object negated(final Object value) {
        if (value instanceof Double number) {
            return -number;
        }
        if (value instanceof Long number && number != Long.MIN_VALUE) {
            return -number;
        }
        throw new Failed("no negative of " + value);
    }

    private static boolean isNumber(final Object value) {
        return value instanceof Long || value instanceof Double;
    }

    static Object arithmetic(final String op, final Object a, final Object b) {
        try {
            if (a instanceof Long x && b instanceof Long y) {
                return integers(op, x, y);
            }
            if (isNumber(a) && isNumber(b)) {
                return doubles(op, ((Number) a).doubleValue(), ((Number) b).doubleValue());
            }
            if (op.equals("+")) {
                if (a instanceof String x && b instanceof String y) {
                    return x + y;
                } else if (a instanceof byte[] x && b instanceof byte[] y) {
                    final byte[] both = Arrays.copyOf(x, x.length + y.length);
                    System.arraycopy(y, 0, both, x.length, y.length);
                    return both;
                } else if (a instanceof List<?> x && b instanceof List<?> y) {
                    final List<Object> both = new ArrayList<>();
                    for (final List<?> side : List.of(x, y)) {
                        side.forEach(element -> both.add(readable(element)));
                    }
                    return both;
                } else if (a instanceof Instant x && b instanceof Duration y) {
                    return inRange(x.plus(y));
                } else if (a instanceof Duration x && b instanceof Instant y) {
                    return inRange(y.plus(x));
                } else if (a instanceof Duration x && b instanceof Duration y) {
                    return x.plus(y);
                }
            }
            if (op.equals("-")) {
                if (a instanceof Instant x && b instanceof Duration y) {
                    return inRange(x.minus(y));
                } else if (a instanceof Instant x && b instanceof Instant y) {
                    return Duration.between(y, x);
                } else if (a instanceof Duration x && b instanceof Duration y) {
                    return x.minus(y);
                }
            }
        } catch (final ArithmeticException error) {
            throw new Failed(error.getMessage());
        }
        throw new Failed(a + " " + op + " " + b + " is not defined");
    }

    /** From year 1 to year 9999. */
    static Instant inRange(final Instant time) {
        if (time.getEpochSecond() < -62_135_596_800L || time.getEpochSecond() > 253_402_300_799L) {
            throw new Failed("outside of the years 1 to 9999");
        }
        return time;
    }

    private static long integers(final String op, final long a, final long b) {
        switch (op) {
            case "+":
                return Math.addExact(a, b);
            case "-":
                return Math.subtractExact(a, b);
            case "*":
                return Math.multiplyExact(a, b);
            default:
                if (b == 0 || a == Long.MIN_VALUE && b == -1) {
                    throw new Failed(a + op + b);
                }
                return op.equals("/") ? a / b : a % b;
        }
    }

    private static double doubles(final String op, final double a, final double b) {
        return switch (op) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            default -> throw new Failed("% takes integers");
        };
    }

    static int compare(final Object a, final Object b) {
        if (a instanceof Long x && b instanceof Long y) {
            return Long.compare(x, y);
        } else if (isNumber(a) && isNumber(b)) {
            final double x = ((Number) a).doubleValue();
            final double y = ((Number) b).doubleValue();
            if (Double.isNaN(x) || Double.isNaN(y)) {
                throw new Failed("NaN has no order");
            }
            return x < y ? -1 : x > y ? 1 : 0;
        } else if (a instanceof String x && b instanceof String y) {
            return Arrays.compare(x.codePoints().toArray(), y.codePoints().toArray());
        } else if (a instanceof byte[] x && b instanceof byte[] y) {
            return Arrays.compareUnsigned(x, y);
        } else if (a instanceof Boolean x && b instanceof Boolean y) {
            return Boolean.compare(x, y);
        } else if (a instanceof Instant x && b instanceof Instant y) {
            return x.compareTo(y);
        } else if (a instanceof Duration x && b instanceof Duration y) {
            return x.compareTo(y);
        }
        throw new Failed(a + " and " + b + " have no order");
    }

    /** Never an error; numbers are equal across types. */
    static boolean equal(final Object a, final Object b) {
        if (a instanceof Long && b instanceof Long) {
            return a.equals(b);
        } else if (isNumber(a) && isNumber(b)) {
            return ((Number) a).doubleValue() == ((Number) b).doubleValue();
        } else if (a instanceof byte[] x && b instanceof byte[] y) {
            return Arrays.equals(x, y);
        } else if (a instanceof List<?> x && b instanceof List<?> y) {
            if (x.size() != y.size()) {
                return false;
            }
            for (int i = 0; i < x.size(); i++) {
                if (!equal(x.get(i), y.get(i))) {
                    return false;
                }
            }
            return true;
        } else if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            return x.keySet().equals(y.keySet()) && x.entrySet().stream().allMatch(e -> equal(e.getValue(), y.get(e.getKey())));
        }
        return !(a instanceof BigInteger) && Objects.equals(a, b);
    }

    private static boolean in(final Object element, final Object of) {
        if (of instanceof List<?> list) {
            return list.stream().anyMatch(other -> equal(element, readable(other)));
        }
        final Map<?, ?> map = object(of);
        if (element instanceof String name) {
            return map.containsKey(name);
        } else if (isNumber(element) || element instanceof Boolean) {
            return false;
        }
        throw new Failed("no field name: " + element);
    }
}
