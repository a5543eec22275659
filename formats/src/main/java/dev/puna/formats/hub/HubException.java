package dev.puna.formats.hub;

import java.io.IOException;

/** A model could not be fetched. The message says what happened and what to do; it is shown to the user as it is. */
public final class HubException extends IOException {
    private static final long serialVersionUID = 1L;

    public HubException(String message) {
        super(message);
    }

    public HubException(String message, Throwable cause) {
        super(message, cause);
    }
}
