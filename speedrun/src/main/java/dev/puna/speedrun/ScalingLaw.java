package dev.puna.speedrun;

/**
 * What a model of a shape reaches on held-out text of this kind after so much training, in bits for each byte:
 *
 * <pre>  b(N, D) = floor + A / N^alpha + B / D^beta</pre>
 *
 * with N the parameters outside the embedding and D the bytes of text seen (Hoffmann et al. 2022, approach 3; bytes in
 * place of tokens, so that vocabularies can be compared). Text that is seen again counts less each time: of R
 * repetitions {@code repeatValue · (1 − e^(−R / repeatValue))} count (Muennighoff et al. 2023, repeatValue 15.4). The
 * constants of the bytes go through two runs of this program on the sources of the JDK, those of the parameters are
 * assumed (docs/speedrun.md); another corpus moves the expected figure more than the choice of the shape.
 */
final class ScalingLaw {
    static final double FLOOR = 0.42;
    static final double PARAMETERS = 12.6;
    static final double PARAMETERS_EXPONENT = 0.27;
    static final double BYTES = 118;
    static final double BYTES_EXPONENT = 0.311;
    private static final double REPEAT_VALUE = 15.4;

    private ScalingLaw() {}

    /**
     * The expected figure.
     *
     * @param layerParameters N
     * @param bytesSeen of text, with repetition
     * @param bytes of text there are
     */
    static double bitsPerByte(long layerParameters, double bytesSeen, double bytes) {
        double unique = Math.min(bytesSeen, bytes);
        double repetitions = bytesSeen / bytes - 1;
        double worth = repetitions <= 0
                ? bytesSeen
                : unique + unique * REPEAT_VALUE * (1 - Math.exp(-repetitions / REPEAT_VALUE));
        return FLOOR
                + PARAMETERS / Math.pow((double) layerParameters, PARAMETERS_EXPONENT)
                + BYTES / Math.pow(worth, BYTES_EXPONENT);
    }
}
