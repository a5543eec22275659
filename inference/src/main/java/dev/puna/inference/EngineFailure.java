package dev.puna.inference;

/** Why a request fails. */
final class EngineFailure {
    private EngineFailure() {}

    /** What its caller is told. */
    static RuntimeException reason(Throwable thrown) {
        return switch (thrown) {
            case RuntimeException e -> e;
            case OutOfMemoryError e ->
                new IllegalStateException("memory ran out: use a smaller kvBytes, or fewer slots at once", e);
            default -> new IllegalStateException("the computation met " + thrown, thrown);
        };
    }
}
