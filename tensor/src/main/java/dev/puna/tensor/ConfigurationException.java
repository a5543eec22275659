package dev.puna.tensor;

/**
 * A setting has a value that cannot work. The message names the field, the value and what to do instead; it is shown to
 * the user as it is.
 */
public final class ConfigurationException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String field;
    private final String value;
    private final String hint;

    public ConfigurationException(String field, Object value, String hint) {
        super(field + "=" + value + ": " + hint);
        this.field = field;
        this.value = String.valueOf(value);
        this.hint = hint;
    }

    public String field() {
        return field;
    }

    public String value() {
        return value;
    }

    public String hint() {
        return hint;
    }
}
