package dev.puna.inference;

import java.util.List;
import java.util.OptionalDouble;

/**
 * A token that was chosen.
 *
 * @param id its id
 * @param logProbability natural logarithm of the probability that the model gave it, before bias, penalties and
 *     temperature; empty unless asked for
 * @param alternatives the most probable tokens at this place, most probable first; empty unless asked for
 */
public record GeneratedToken(int id, OptionalDouble logProbability, List<Alternative> alternatives) {
    /** A token that could have been chosen, and the natural logarithm of its probability. */
    public record Alternative(int id, double logProbability) {}

    public GeneratedToken {
        alternatives = List.copyOf(alternatives);
    }
}
