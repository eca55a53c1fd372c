import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoField;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The functions of expressions; a method's first argument is what it is called on. */
final class Functions {
    private static final Pattern INTEGER = Pattern.compile("[+-]?[0-9]+");
    private static final Pattern NUMBER = Pattern.compile("[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?");
    private static final Pattern LENGTH = Pattern.compile("([0-9]+)(h|ms|m|s)");

    private Functions() {
    }

    static Object call(final String name, final Object[] a) {
        switch (name) {
            case "size":
                return size(a[0]);
            case "string":
                return string(a[0]);
            case "int":
                return integer(a[0]);
            case "double":
                return number(a[0]);
            case "bool":
                return truth(a[0]);
            case "bytes":
                return a[0] instanceof byte[] ? a[0] : text(a[0]).getBytes(StandardCharsets.UTF_8);
            case "timestamp":
                return time(a[0]);
            case "duration":
                return length(a[0]);
            case "contains":
                return text(a[0]).contains(text(a[1]));
            case "startsWith":
                return text(a[0]).startsWith(text(a[1]));
            case "endsWith":
                return text(a[0]).endsWith(text(a[1]));
            case "matches":
                return Pattern.compile(text(a[1])).matcher(text(a[0])).find();
            case "lowerAscii":
                return Text.ascii(text(a[0]), false);
            case "upperAscii":
                return Text.ascii(text(a[0]), true);
            case "trim":
                return Text.trim(text(a[0]));
            case "reverse":
                return Text.reverse(text(a[0]));
            case "replace":
                return text(a[0]).replace(text(a[1]), text(a[2]));
            case "split":
                return Text.split(text(a[0]), text(a[1]));
            case "join":
                if (!(a[0] instanceof List<?> || a[0] instanceof Map<?, ?>)) {
                    throw new Failed("no list: " + a[0]);
                }
                return (a[0] instanceof List<?> list ? list : ((Map<?, ?>) a[0]).keySet()).stream()
                    .map(Functions::text).collect(Collectors.joining(text(a[1])));
            case "substring":
                return Text.substring(text(a[0]), whole(a[1]), a.length == 2 ? Text.length(text(a[0])) : whole(a[2]));
            case "charAt":
                final long at = whole(a[1]);
                return at == Text.length(text(a[0])) ? "" : Text.substring(text(a[0]), at, at + 1);
            case "indexOf":
                return Text.indexOf(text(a[0]), text(a[1]));
            case "lastIndexOf":
                return Text.lastIndexOf(text(a[0]), text(a[1]));
            case "math.greatest":
            case "math.least":
                final int order = name.equals("math.greatest") ? 1 : -1;
                if (!(a[0] instanceof Number && a[1] instanceof Number)) {
                    throw new Failed("no numbers");
                }
                return Eval.compare(a[1], a[0]) * order > 0 ? a[1] : a[0];
            case "math.abs":
                if (a[0] instanceof Long whole && whole != Long.MIN_VALUE) {
                    return Math.abs(whole);
                } else if (a[0] instanceof Double d) {
                    return Math.abs(d);
                }
                throw new Failed("no absolute value of " + a[0]);
            default:
                return name.startsWith("math.") ? mathematics(name, a[0]) : part(name, a[0]);
        }
    }

    private static String text(final Object value) {
        if (value instanceof String text) {
            return text;
        }
        throw new Failed("no string: " + value);
    }

    private static long whole(final Object value) {
        if (value instanceof Long number) {
            return number;
        }
        throw new Failed("no int: " + value);
    }

    private static long size(final Object value) {
        if (value instanceof String text) {
            return Text.length(text);
        } else if (value instanceof byte[] bytes) {
            return bytes.length;
        } else if (value instanceof List<?> list) {
            return list.size();
        } else if (value instanceof Map<?, ?> map) {
            return map.size();
        }
        throw new Failed("no size: " + value);
    }

    private static String string(final Object value) {
        if (value instanceof String || value instanceof Boolean || value instanceof Long) {
            return value.toString();
        } else if (value instanceof Double number) {
            return Text.of(number);
        } else if (value instanceof Instant time) {
            return Text.of(time);
        } else if (value instanceof Duration length) {
            return Text.of(length);
        } else if (value instanceof byte[] bytes) {
            try {
                return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            } catch (final CharacterCodingException e) {
                throw new Failed("no UTF-8");
            }
        }
        throw new Failed("no text for " + value);
    }

    private static long integer(final Object value) {
        if (value instanceof Long number) {
            return number;
        } else if (value instanceof Double number && number > -0x1p63 && number < 0x1p63) {
            return number.longValue();
        } else if (value instanceof String text && INTEGER.matcher(text).matches()) {
            try {
                return Long.parseLong(text);
            } catch (final NumberFormatException e) {
                throw new Failed("more than 64 bits: " + text);
            }
        } else if (value instanceof Instant time) {
            return time.getEpochSecond();
        }
        throw new Failed("no int from " + value);
    }

    private static double number(final Object value) {
        if (value instanceof Long || value instanceof Double) {
            return ((Number) value).doubleValue();
        } else if (value instanceof String text && NUMBER.matcher(text).matches()) {
            return Double.parseDouble(text);
        }
        throw new Failed("no double from " + value);
    }

    private static boolean truth(final Object value) {
        if (value instanceof Boolean truth) {
            return truth;
        }
        return switch (text(value)) {
            case "1", "t", "true", "TRUE", "True" -> true;
            case "0", "f", "false", "FALSE", "False" -> false;
            default -> throw new Failed("neither true nor false: " + value);
        };
    }

    private static Instant time(final Object value) {
        if (value instanceof Instant time) {
            return time;
        } else if (value instanceof Long seconds) {
            if (seconds < -(1L << 40) || seconds > 1L << 40) {
                throw new Failed("outside of the years 1 to 9999");
            }
            return Eval.inRange(Instant.ofEpochSecond(seconds));
        }
        try {
            return Eval.inRange(OffsetDateTime.parse(text(value)).toInstant());
        } catch (final DateTimeException e) {
            throw new Failed("no time: " + value);
        }
    }

    private static Duration length(final Object value) {
        if (value instanceof Duration length) {
            return length;
        }
        final Matcher parts = LENGTH.matcher(text(value));
        Duration sum = Duration.ZERO;
        int end = 0;
        while (parts.find() && parts.start() == end) {
            final long number = Long.parseLong(parts.group(1));
            sum = sum.plus(switch (parts.group(2)) {
                case "h" -> Duration.ofHours(number);
                case "m" -> Duration.ofMinutes(number);
                case "s" -> Duration.ofSeconds(number);
                default -> Duration.ofMillis(number);
            });
            end = parts.end();
        }
        if (end == 0 || end < text(value).length()) {
            throw new Failed("no duration: " + value);
        }
        return sum;
    }

    private static Object mathematics(final String name, final Object value) {
        if (!(value instanceof Long || value instanceof Double)) {
            throw new Failed("no number: " + value);
        }
        final double number = ((Number) value).doubleValue();
        final double whole = number < 0 ? Math.ceil(number) : Math.floor(number);
        return switch (name) {
            case "math.ceil" -> Math.ceil(number);
            case "math.floor" -> Math.floor(number);
            case "math.trunc" -> whole;
            // Halves go away from zero.
            case "math.round" -> Math.abs(number - whole) >= 0.5 ? whole + Math.signum(number) : whole;
            case "math.sqrt" -> Math.sqrt(number);
            case "math.isNaN" -> Double.isNaN(number);
            case "math.isInf" -> Double.isInfinite(number);
            case "math.isFinite" -> Double.isFinite(number);
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static long part(final String name, final Object value) {
        if (value instanceof Duration length) {
            return switch (name) {
                case "getHours" -> length.toNanos() / 3_600_000_000_000L;
                case "getMinutes" -> length.toNanos() / 60_000_000_000L;
                case "getSeconds" -> length.toNanos() / 1_000_000_000L;
                case "getMilliseconds" -> length.toNanos() / 1_000_000L;
                default -> throw new Failed(name);
            };
        }
        if (!(value instanceof Instant)) {
            throw new Failed("no time: " + value);
        }
        final OffsetDateTime time = ((Instant) value).atOffset(ZoneOffset.UTC);
        return switch (name) {
            case "getFullYear" -> time.getYear();
            case "getMonth" -> time.getMonthValue() - 1;
            case "getDayOfYear" -> time.getDayOfYear() - 1;
            case "getDayOfMonth" -> time.getDayOfMonth() - 1;
            case "getDate" -> time.getDayOfMonth();
            case "getDayOfWeek" -> time.getDayOfWeek().getValue() % 7;
            case "getHours" -> time.getHour();
            case "getMinutes" -> time.getMinute();
            case "getSeconds" -> time.getSecond();
            case "getMilliseconds" -> time.get(ChronoField.MILLI_OF_SECOND);
            default -> throw new IllegalArgumentException(name);
        };
    }
}
