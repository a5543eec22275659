package dev.puna.tokenizer.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import org.jspecify.annotations.Nullable;

/** Python's numbers: whole ones of any size (up to a bound), floating-point ones, and truth values as 0 and 1. */
final class Numbers {
    private static final int MAX_BITS = 16_384;
    private static final BigInteger MIN_LONG = BigInteger.valueOf(Long.MIN_VALUE);
    private static final BigInteger MAX_LONG = BigInteger.valueOf(Long.MAX_VALUE);

    private Numbers() {}

    /** The value of a whole number: a {@code Long} where it fits. */
    static Object integer(BigInteger value) {
        if (value.bitLength() > MAX_BITS) {
            throw TemplateException.limit(
                    "a number of " + value.bitLength() + " bits; at most " + MAX_BITS + " are allowed");
        }
        if (value.compareTo(MIN_LONG) >= 0 && value.compareTo(MAX_LONG) <= 0) {
            return value.longValue();
        }
        return value;
    }

    static boolean isNumber(Object value) {
        return value instanceof Long
                || value instanceof Double
                || value instanceof Boolean
                || value instanceof BigInteger;
    }

    static boolean isWhole(Object value) {
        return value instanceof Long || value instanceof Boolean || value instanceof BigInteger;
    }

    /** The whole number that {@code value} is; null if it is none. */
    static @Nullable BigInteger whole(Object value) {
        return switch (value) {
            case Long number -> BigInteger.valueOf(number);
            case Boolean truth -> truth ? BigInteger.ONE : BigInteger.ZERO;
            case BigInteger number -> number;
            default -> null;
        };
    }

    static BigInteger requireWhole(Object value) {
        BigInteger whole = whole(value);
        if (whole == null) {
            throw failure(value, "'" + Values.typeName(value) + "' object cannot be interpreted as an integer");
        }
        return whole;
    }

    /** A whole number for an index or a count; far out ones are clipped. */
    static int index(Object value) {
        if (value instanceof Long number) {
            return Math.clamp(number, Integer.MIN_VALUE + 1, Integer.MAX_VALUE);
        }
        BigInteger whole = requireWhole(value);
        return whole.bitLength() < 32
                ? whole.intValue()
                : whole.signum() < 0 ? Integer.MIN_VALUE + 1 : Integer.MAX_VALUE;
    }

    static double asDouble(Object value) {
        return switch (value) {
            case Double number -> number;
            case Long number -> (double) number;
            case Boolean truth -> truth ? 1 : 0;
            case BigInteger number -> {
                double result = number.doubleValue();
                if (Double.isInfinite(result)) {
                    throw TemplateException.runtime("int too large to convert to float");
                }
                yield result;
            }
            default -> throw failure(value, "must be a real number, not " + Values.typeName(value));
        };
    }

    /** The error for an operation on {@code value}: an undefined value tells its own reason. */
    static TemplateException failure(Object value, String otherwise) {
        return value instanceof Undefined undefined ? undefined.failure() : TemplateException.runtime(otherwise);
    }

    static TemplateException unsupported(String operator, Object x, Object y) {
        if (x instanceof Undefined undefined) {
            return undefined.failure();
        }
        return failure(
                y,
                "unsupported operand type(s) for " + operator + ": '" + Values.typeName(x) + "' and '"
                        + Values.typeName(y) + "'");
    }

    private static boolean bothNumbers(Object x, Object y) {
        return isNumber(x) && isNumber(y);
    }

    static Object negate(Object value) {
        if (value instanceof Double number) {
            return -number;
        }
        BigInteger whole = whole(value);
        if (whole == null) {
            throw failure(value, "bad operand type for unary -: '" + Values.typeName(value) + "'");
        }
        return integer(whole.negate());
    }

    static Object plus(Object value) {
        if (value instanceof Double) {
            return value;
        }
        BigInteger whole = whole(value);
        if (whole == null) {
            throw failure(value, "bad operand type for unary +: '" + Values.typeName(value) + "'");
        }
        return integer(whole);
    }

    static Object add(Object x, Object y) {
        if (x instanceof Long a && y instanceof Long b) {
            long sum = a + b;
            if (((a ^ sum) & (b ^ sum)) >= 0) {
                return sum;
            }
        }
        if (!bothNumbers(x, y)) {
            throw unsupported("+", x, y);
        }
        BigInteger a = whole(x);
        BigInteger b = whole(y);
        return a != null && b != null ? integer(a.add(b)) : (Object) (asDouble(x) + asDouble(y));
    }

    static Object subtract(Object x, Object y) {
        if (!bothNumbers(x, y)) {
            throw unsupported("-", x, y);
        }
        BigInteger a = whole(x);
        BigInteger b = whole(y);
        return a != null && b != null ? integer(a.subtract(b)) : (Object) (asDouble(x) - asDouble(y));
    }

    static Object multiply(Object x, Object y) {
        if (!bothNumbers(x, y)) {
            throw unsupported("*", x, y);
        }
        BigInteger a = whole(x);
        BigInteger b = whole(y);
        return a != null && b != null ? integer(a.multiply(b)) : (Object) (asDouble(x) * asDouble(y));
    }

    static Object divide(Object x, Object y) {
        if (!bothNumbers(x, y)) {
            throw unsupported("/", x, y);
        }
        double divisor = asDouble(y);
        if (divisor == 0) {
            throw TemplateException.runtime("division by zero");
        }
        return asDouble(x) / divisor;
    }

    static Object floorDivide(Object x, Object y) {
        if (!bothNumbers(x, y)) {
            throw unsupported("//", x, y);
        }
        BigInteger a = whole(x);
        BigInteger b = whole(y);
        if (a != null && b != null) {
            if (b.signum() == 0) {
                throw TemplateException.runtime("integer division or modulo by zero");
            }
            BigInteger[] parts = a.divideAndRemainder(b);
            boolean down = parts[1].signum() != 0 && parts[1].signum() != b.signum();
            return integer(down ? parts[0].subtract(BigInteger.ONE) : parts[0]);
        }
        double divisor = asDouble(y);
        if (divisor == 0) {
            throw TemplateException.runtime("float floor division by zero");
        }
        double dividend = asDouble(x);
        return Math.floor((dividend - floorRemainder(dividend, divisor)) / divisor + 0.5);
    }

    static Object modulo(Object x, Object y) {
        if (!bothNumbers(x, y)) {
            throw unsupported("%", x, y);
        }
        BigInteger a = whole(x);
        BigInteger b = whole(y);
        if (a != null && b != null) {
            if (b.signum() == 0) {
                throw TemplateException.runtime("integer modulo by zero");
            }
            BigInteger rest = a.remainder(b);
            return integer(rest.signum() != 0 && rest.signum() != b.signum() ? rest.add(b) : rest);
        }
        if (asDouble(y) == 0) {
            throw TemplateException.runtime("float modulo by zero");
        }
        return floorRemainder(asDouble(x), asDouble(y));
    }

    private static double floorRemainder(double x, double y) {
        double rest = x % y;
        if (rest == 0) {
            return Math.copySign(0.0, y);
        }
        return (rest < 0) != (y < 0) ? rest + y : rest;
    }

    static Object power(Object x, Object y) {
        if (!bothNumbers(x, y)) {
            throw unsupported("** or pow()", x, y);
        }
        BigInteger a = whole(x);
        BigInteger b = whole(y);
        if (a != null && b != null && b.signum() >= 0) {
            if (a.bitLength() <= 1 && a.signum() >= 0) {
                return integer(b.signum() == 0 ? BigInteger.ONE : a);
            }
            if (b.bitLength() > 31 || (long) a.bitLength() * b.intValue() > 2L * MAX_BITS) {
                throw TemplateException.limit("a power of more than " + MAX_BITS + " bits");
            }
            return integer(a.pow(b.intValue()));
        }
        double base = asDouble(x);
        double exponent = asDouble(y);
        if (base == 0 && exponent < 0) {
            throw TemplateException.runtime("0.0 cannot be raised to a negative power");
        }
        double result = Math.pow(base, exponent);
        if (Double.isNaN(result) && !Double.isNaN(base) && !Double.isNaN(exponent)) {
            throw TemplateException.runtime("a power that is a complex number");
        }
        if (Double.isInfinite(result) && !Double.isInfinite(base) && !Double.isInfinite(exponent)) {
            throw TemplateException.runtime("Numerical result out of range");
        }
        return result;
    }

    static Object absolute(Object value) {
        if (value instanceof Double number) {
            return Math.abs(number);
        }
        BigInteger whole = whole(value);
        if (whole == null) {
            throw failure(value, "bad operand type for abs(): '" + Values.typeName(value) + "'");
        }
        return integer(whole.abs());
    }

    /** Order of two numbers; {@code Integer.MIN_VALUE} when one is not a number at all (NaN). */
    static int compare(Object x, Object y) {
        if (x instanceof Long a && y instanceof Long b) {
            return Long.compare(a, b);
        }
        BigInteger a = whole(x);
        BigInteger b = whole(y);
        if (a != null && b != null) {
            return a.compareTo(b);
        }
        if (a == null && b == null) {
            return compare(asDouble(x), asDouble(y));
        }
        double number = a == null ? asDouble(x) : asDouble(y);
        if (Double.isNaN(number) || Double.isInfinite(number)) {
            return a == null ? compare(number, 0) : compare(0, number);
        }
        return a == null
                ? new BigDecimal(number).compareTo(new BigDecimal(b))
                : new BigDecimal(a).compareTo(new BigDecimal(number));
    }

    private static int compare(double x, double y) {
        return x < y ? -1 : x > y ? 1 : x == y ? 0 : Integer.MIN_VALUE;
    }

    /** {@code round(value, digits)}: to even on a tie of the exact value; a whole number stays one. */
    static Object round(Object value, int digits) {
        if (value instanceof Double number) {
            if (Double.isNaN(number) || Double.isInfinite(number) || digits > 330) {
                return number;
            }
            if (digits < -330) {
                return Math.copySign(0.0, number);
            }
            double rounded = new BigDecimal(number)
                    .setScale(digits, RoundingMode.HALF_EVEN)
                    .doubleValue();
            return Math.copySign(rounded, number);
        }
        BigInteger whole = whole(value);
        if (whole == null) {
            throw failure(value, "type " + Values.typeName(value) + " doesn't define __round__ method");
        }
        if (digits >= 0) {
            return integer(whole);
        }
        if (digits < -MAX_BITS) {
            return 0L;
        }
        return integer(
                new BigDecimal(whole).setScale(digits, RoundingMode.HALF_EVEN).toBigInteger());
    }

    /** {@code int(value)} of a floating-point number. */
    static Object truncate(double value) {
        if (Double.isNaN(value)) {
            throw TemplateException.runtime("cannot convert float NaN to integer");
        }
        if (Double.isInfinite(value)) {
            throw TemplateException.runtime("cannot convert float infinity to integer");
        }
        return integer(new BigDecimal(value).toBigInteger());
    }

    /** {@code int(text, base)}; null if the text is no such number. */
    static @Nullable Object parseWhole(String text, int base) {
        if ((base != 0 && base < 2) || base > 36) {
            return null;
        }
        String digits = Text.strip(text, true, true);
        boolean negative = digits.startsWith("-");
        if (negative || digits.startsWith("+")) {
            digits = digits.substring(1);
        }
        int radix = base;
        if (digits.length() > 1 && digits.charAt(0) == '0') {
            int prefixed = switch (digits.charAt(1)) {
                case 'x', 'X' -> 16;
                case 'o', 'O' -> 8;
                case 'b', 'B' -> 2;
                default -> 0;
            };
            if (prefixed != 0 && (base == 0 || base == prefixed)) {
                radix = prefixed;
                digits = digits.substring(digits.startsWith("_", 2) ? 3 : 2);
            }
        }
        if (radix == 0) {
            radix = 10;
        }
        if (!isDigits(digits, radix) || digits.length() > 4_300) {
            return null;
        }
        BigInteger value = new BigInteger(digits.replace("_", ""), radix);
        return integer(negative ? value.negate() : value);
    }

    private static boolean isDigits(String text, int radix) {
        boolean afterDigit = false;
        for (int i = 0; i < text.length(); i++) {
            boolean digit = Character.digit(text.charAt(i), radix) >= 0;
            if (!digit && (text.charAt(i) != '_' || !afterDigit)) {
                return false;
            }
            afterDigit = digit;
        }
        return afterDigit;
    }

    /** {@code float(text)}; null if the text is no number. */
    static @Nullable Double parseDouble(String text) {
        String number = Text.lower(Text.strip(text, true, true));
        String magnitude = number.startsWith("-") || number.startsWith("+") ? number.substring(1) : number;
        double sign = number.startsWith("-") ? -1 : 1;
        switch (magnitude) {
            case "inf", "infinity" -> {
                return sign * Double.POSITIVE_INFINITY;
            }
            case "nan" -> {
                return Double.NaN;
            }
            default -> {}
        }
        boolean digits = false;
        char before = ' ';
        for (int i = 0; i < magnitude.length(); i++) {
            char c = magnitude.charAt(i);
            boolean digit = c >= '0' && c <= '9';
            boolean allowed = digit
                    || c == '.'
                    || c == 'e'
                    || ((c == '+' || c == '-') && before == 'e')
                    || (c == '_'
                            && before >= '0'
                            && before <= '9'
                            && i + 1 < magnitude.length()
                            && Character.isDigit(magnitude.charAt(i + 1)));
            if (!allowed) {
                return null;
            }
            digits |= digit;
            before = c;
        }
        if (!digits) {
            return null;
        }
        try {
            return sign * Double.parseDouble(magnitude.replace("_", ""));
        } catch (NumberFormatException malformed) {
            return null;
        }
    }

    /** Walks a range. */
    static final class Counting implements java.util.Iterator<Object> {
        private final Range range;
        private int index;

        Counting(Range range) {
            this.range = range;
        }

        @Override
        public boolean hasNext() {
            return index < range.size();
        }

        @Override
        public Object next() {
            if (!hasNext()) {
                throw new java.util.NoSuchElementException();
            }
            return range.get(index++);
        }
    }
}
