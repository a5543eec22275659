package dev.puna.speedrun;

import dev.puna.kernels.Kernels;
import dev.puna.model.LlamaTraining;
import dev.puna.model.PackedBatch;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Encoder;
import dev.puna.tokenizer.TokenBuffer;
import dev.puna.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleConsumer;
import java.util.function.Function;

/**
 * How many bits a model needs for texts: the sum of −log₂ of the probability of every token of every text, each text by
 * itself behind a begin-of-text token, over the bytes of the texts. A text longer than the context goes in windows, each
 * after the first with the last half of the one before as context: as {@code puna score} does, but many windows at a
 * time and in the precision of training.
 *
 * @param bits of all texts
 * @param nats of all texts
 * @param tokens of all texts
 * @param bytes of all texts
 * @param texts how many
 */
public record HeldOutMeasure(double bits, double nats, long tokens, long bytes, int texts) {
    /** What the yardsticks are held against. */
    public double bitsPerByte() {
        return bits / bytes;
    }

    /** Nats per token. */
    public double loss() {
        return nats / tokens;
    }

    /** Tokens {@code [from, to)} of a text; those from {@code scored} on count. */
    private record Window(int[] ids, int from, int to, int scored) {
        int rows() {
            return to - from - 1; // the last token is only predicted
        }
    }

    /**
     * Measures.
     *
     * @param model what gives the loss of batches
     * @param texts in UTF-8
     * @param context of the model, and rows of a batch at most
     * @param together batches that the model computes at a time
     * @param progress told the share that is done
     */
    static HeldOutMeasure of(
            Function<List<PackedBatch>, LlamaTraining.Loss> model,
            Tokenizer tokenizer,
            List<byte[]> texts,
            int context,
            int together,
            DoubleConsumer progress) {
        List<Window> windows = new ArrayList<>();
        Encoder encoder = tokenizer.encoder();
        long bytes = 0;
        long tokens = 0;
        for (byte[] text : texts) {
            TokenBuffer buffer = new TokenBuffer(text.length / 3 + 16);
            encoder.encode(text, 0, text.length, EncodeOptions.WITH_BOS, buffer);
            int[] ids = buffer.toArray();
            bytes += text.length;
            tokens += ids.length - 1;
            windows.addAll(windows(ids, context));
        }
        double nats = 0;
        int at = 0;
        while (at < windows.size()) {
            List<PackedBatch> batches = new ArrayList<>();
            while (at < windows.size() && batches.size() < together) {
                int from = at;
                int rows = 0;
                while (at < windows.size()
                        && (at == from || rows + windows.get(at).rows() <= context)) {
                    rows += windows.get(at++).rows();
                }
                batches.add(batch(windows.subList(from, at), rows));
            }
            nats += model.apply(batches).sum();
            progress.accept((double) at / windows.size());
        }
        return new HeldOutMeasure(nats / Math.log(2), nats, tokens, bytes, texts.size());
    }

    private static List<Window> windows(int[] ids, int context) {
        List<Window> windows = new ArrayList<>();
        int scored = 1; // the begin-of-text token has nothing before it
        int start = 0;
        while (scored < ids.length) {
            int end = Math.min(ids.length, start + context);
            windows.add(new Window(ids, start, end, scored));
            scored = end;
            start = end - context / 2;
        }
        return windows;
    }

    private static PackedBatch batch(List<Window> windows, int rows) {
        int[] ids = new int[rows];
        int[] targets = new int[rows];
        int[] positions = new int[rows];
        int[] first = new int[rows];
        int row = 0;
        for (Window window : windows) {
            int begin = row;
            for (int i = window.from(); i + 1 < window.to(); i++, row++) {
                ids[row] = window.ids()[i];
                targets[row] = i + 1 < window.scored() ? Kernels.IGNORED : window.ids()[i + 1];
                positions[row] = i - window.from();
                first[row] = begin;
            }
        }
        return new PackedBatch(
                Arrays.copyOf(ids, row),
                Arrays.copyOf(targets, row),
                Arrays.copyOf(positions, row),
                Arrays.copyOf(first, row));
    }
}
