package dev.puna.cli;

/** The arguments make no sense together; the message is one line for the person who typed them. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }
}
