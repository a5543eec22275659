package dev.puna.tokenizer.template;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Floating-point numbers as Python writes them. */
final class FloatText {
    private static final int MAX_PRECISION = 4_096;

    private FloatText() {}

    /** Python's {@code repr}: the shortest digits that give the number back. */
    static String repr(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        String sign = value < 0 ? "-" : "";
        BigDecimal shortest = shortest(Math.abs(value));
        String digits = shortest.unscaledValue().toString();
        int exponent = digits.length() - 1 - shortest.scale();
        if (exponent < -4 || exponent >= 16) {
            return sign + scientific(digits, exponent);
        }
        if (exponent < 0) {
            return sign + "0." + "0".repeat(-exponent - 1) + digits;
        }
        if (exponent >= digits.length() - 1) {
            return sign + digits + "0".repeat(exponent - digits.length() + 1) + ".0";
        }
        return sign + digits.substring(0, exponent + 1) + "." + digits.substring(exponent + 1);
    }

    /** Java always writes two digits; where one gives the same number, Python writes one. */
    private static BigDecimal shortest(double value) {
        BigDecimal exact = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        if (exact.precision() == 2) {
            BigDecimal single = new BigDecimal(value).round(new java.math.MathContext(1, RoundingMode.HALF_EVEN));
            if (single.doubleValue() == value) {
                return single.stripTrailingZeros();
            }
        }
        return exact;
    }

    private static String scientific(String digits, int exponent) {
        String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
        return mantissa + "e" + exponentText(exponent);
    }

    private static String exponentText(int exponent) {
        int size = Math.abs(exponent);
        return (exponent < 0 ? "-" : "+") + (size < 10 ? "0" : "") + size;
    }

    /** {@code %f}, {@code %e} and {@code %g} of a magnitude; the sign is the caller's. */
    static String format(double magnitude, char style, int precision, boolean alternate) {
        if (Double.isNaN(magnitude)) {
            return "nan";
        }
        if (Double.isInfinite(magnitude)) {
            return "inf";
        }
        if (precision > MAX_PRECISION) {
            throw TemplateException.limit(
                    "a number format asks for " + precision + " digits; at most " + MAX_PRECISION + " are allowed");
        }
        BigDecimal exact = new BigDecimal(magnitude);
        return switch (style) {
            case 'f' -> exact.setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
            case 'e' -> exponential(exact, precision);
            default -> general(exact, Math.max(precision, 1), alternate);
        };
    }

    private static String exponential(BigDecimal exact, int precision) {
        if (exact.signum() == 0) {
            return "0" + (precision > 0 ? "." + "0".repeat(precision) : "") + "e+00";
        }
        BigDecimal rounded = exact.round(new java.math.MathContext(precision + 1, RoundingMode.HALF_EVEN));
        String digits = rounded.unscaledValue().toString();
        int exponent = digits.length() - 1 - rounded.scale();
        digits = digits.length() > precision + 1 ? digits.substring(0, precision + 1) : digits;
        digits += "0".repeat(precision + 1 - digits.length());
        return digits.charAt(0) + (precision > 0 ? "." + digits.substring(1) : "") + "e" + exponentText(exponent);
    }

    private static String general(BigDecimal exact, int precision, boolean alternate) {
        if (exact.signum() == 0) {
            return alternate && precision > 1 ? "0." + "0".repeat(precision - 1) : "0";
        }
        BigDecimal rounded = exact.round(new java.math.MathContext(precision, RoundingMode.HALF_EVEN));
        int exponent = rounded.precision() - 1 - rounded.scale();
        if (exponent < -4 || exponent >= precision) {
            String text = exponential(exact, precision - 1);
            int e = text.indexOf('e');
            return alternate ? text : withoutTrailingZeros(text.substring(0, e)) + text.substring(e);
        }
        String text = rounded.setScale(precision - 1 - exponent, RoundingMode.HALF_EVEN)
                .toPlainString();
        return alternate ? text : withoutTrailingZeros(text);
    }

    private static String withoutTrailingZeros(String text) {
        if (text.indexOf('.') < 0) {
            return text;
        }
        int end = text.length();
        while (text.charAt(end - 1) == '0') {
            end--;
        }
        return text.substring(0, text.charAt(end - 1) == '.' ? end - 1 : end);
    }
}
