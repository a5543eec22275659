package dev.puna.assembler;

import java.io.Serial;

/** The system refused something; the message says what and why. */
final class SystemCallException extends Exception {
    @Serial
    private static final long serialVersionUID = 1;

    private final String reason;

    SystemCallException(String reason) {
        super(reason);
        this.reason = reason;
    }

    String reason() {
        return reason;
    }
}
