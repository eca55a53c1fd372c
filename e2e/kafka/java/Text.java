import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;

/** Values as text, and functions on text, whose positions count code points. */
final class Text {
    private static final DateTimeFormatter SECONDS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss").withZone(ZoneOffset.UTC);

    private Text() {
    }

    /** RFC 3339 in UTC with as many decimals as needed. */
    static String of(final Instant time) {
        return SECONDS.format(time) + fraction(time.getNano()) + "Z";
    }

    /** Seconds with as many decimals as needed. */
    static String of(final Duration length) {
        final Duration size = length.abs();
        return (length.isNegative() ? "-" : "") + size.getSeconds() + fraction(size.getNano()) + "s";
    }

    private static String fraction(final int nanos) {
        return nanos == 0 ? "" : "." + String.format("%09d", nanos).replaceAll("0+$", "");
    }

    /** The shortest decimal that reads back as this double, without exponent. JDK 17's own text is not always the shortest. */
    static String of(final double number) {
        if (Double.isNaN(number)) {
            return "NaN";
        } else if (Double.isInfinite(number)) {
            return number > 0 ? "inf" : "-inf";
        } else if (number == 0) {
            return 1 / number < 0 ? "-0" : "0";
        }
        final BigDecimal exact = new BigDecimal(number);
        for (int digits = 1;; digits++) {
            final BigDecimal rounded = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
            if (rounded.doubleValue() == number) {
                return rounded.stripTrailingZeros().toPlainString();
            }
        }
    }

    static int length(final String text) {
        return text.codePointCount(0, text.length());
    }

    /** The char at which code point {@code n} starts; the end for the number of code points. */
    static int at(final String text, final long n) {
        if (n < 0 || n > length(text)) {
            throw new Failed("position " + n + " is outside of the string");
        }
        return text.offsetByCodePoints(0, (int) n);
    }

    static String substring(final String text, final long from, final long to) {
        if (to < from) {
            throw new Failed("the end is before the start");
        }
        return text.substring(at(text, from), at(text, to));
    }

    static long indexOf(final String text, final String part) {
        final int found = text.indexOf(part);
        return found < 0 ? -1 : text.codePointCount(0, found);
    }

    static long lastIndexOf(final String text, final String part) {
        final int found = text.lastIndexOf(part);
        return found < 0 ? -1 : text.codePointCount(0, found);
    }

    static String ascii(final String text, final boolean upper) {
        final StringBuilder out = new StringBuilder(text);
        for (int i = 0; i < out.length(); i++) {
            final char c = out.charAt(i);
            if (upper && c >= 'a' && c <= 'z') {
                out.setCharAt(i, (char) (c - 32));
            } else if (!upper && c >= 'A' && c <= 'Z') {
                out.setCharAt(i, (char) (c + 32));
            }
        }
        return out.toString();
    }

    /** Unicode's White_Space, which is none of Java's own sets. */
    private static boolean isSpace(final int c) {
        return c >= 9 && c <= 13 || c == 32 || c == 0x85 || c == 0xA0 || c == 0x1680 || c >= 0x2000 && c <= 0x200A
            || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
    }

    static String trim(final String text) {
        int from = 0;
        int to = text.length();
        while (from < to && isSpace(text.charAt(from))) {
            from++;
        }
        while (to > from && isSpace(text.charAt(to - 1))) {
            to--;
        }
        return text.substring(from, to);
    }

    static String reverse(final String text) {
        // StringBuilder keeps surrogate pairs together.
        return new StringBuilder(text).reverse().toString();
    }

    static List<Object> split(final String text, final String separator) {
        final List<Object> parts = new ArrayList<>();
        int from = 0;
        for (int at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, from)) {
            parts.add(text.substring(from, at));
            from = at + separator.length();
        }
        parts.add(text.substring(from));
        return parts;
    }
}
