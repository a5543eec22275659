package dev.puna.inference;

/**
 * What an answer may look like, compiled once and shared by all requests that want it. Tokens that would leave the
 * language are masked before one is drawn.
 */
public interface TokenConstraint {
    /** The state before the first token of an answer. */
    State start();

    /** Where one answer stands. For one thread at a time. */
    interface State {
        /**
         * Which tokens may follow: bit {@code id % 64} of word {@code id / 64}, for all V ids. End tokens are among them
         * exactly when the answer may end here. Not to be changed by the caller.
         *
         * @throws IllegalStateException if there is none: the answer can neither go on nor end
         */
        long[] allowed();

        /** A token was chosen; one of those allowed. */
        void accept(int id);
    }
}
