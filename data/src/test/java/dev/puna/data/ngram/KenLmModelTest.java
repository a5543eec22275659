package dev.puna.data.ngram;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The binary is written here, from the layout of kenlm's lm/binary_format.cc, vocab.cc and search_hashed.hh. */
class KenLmModelTest {
    private static final float MULTIPLIER = 1.5f;

    @TempDir
    Path folder;

    private static NgramModel trained(SplittableRandom random) {
        NgramTraining training = new NgramTraining(4);
        for (int i = 0; i < 400; i++) {
            List<String> sentence = new ArrayList<>();
            for (int w = 0; w < 3 + random.nextInt(8); w++) {
                sentence.add("wörd" + random.nextInt(12) * random.nextInt(12));
            }
            training.add(sentence);
        }
        return training.train();
    }

    private static ByteBuffer table(long entries, int slotBytes) {
        long buckets = Math.max(entries + 1, (long) (MULTIPLIER * (float) entries));
        return ByteBuffer.allocate((int) buckets * slotBytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static int slot(ByteBuffer table, int slotBytes, long key) {
        int buckets = table.capacity() / slotBytes;
        int slot = (int) Long.remainderUnsigned(key, buckets);
        while (table.getLong(slot * slotBytes) != 0) {
            slot = (slot + 1) % buckets;
        }
        table.putLong(slot * slotBytes, key);
        return slot * slotBytes + 8;
    }

    /** Ids there are as here: unknown 0, the others in their order. */
    private static byte[] binary(NgramModel model) {
        int order = model.order();
        ByteBuffer head =
                ByteBuffer.allocate(108 + 8 * order + (4 + 8 * order) % 8).order(ByteOrder.LITTLE_ENDIAN);
        head.put("mmap lm http://kheafield.com/code format version 5\n".getBytes(StandardCharsets.US_ASCII));
        head.position(56);
        head.putFloat(0)
                .putFloat(1)
                .putFloat(-0.5f)
                .putInt(1)
                .putInt(-1)
                .putInt(0)
                .putLong(1);
        head.put((byte) order).position(92);
        head.putFloat(MULTIPLIER).putInt(0).put((byte) 1).position(104);
        head.putInt(0);
        for (int n = 1; n <= order; n++) {
            head.putLong(model.count(n));
        }
        List<ByteBuffer> parts = new ArrayList<>(List.of(head));
        parts.add(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0)
                .putInt(model.words().size()));
        ByteBuffer words = table(model.count(1), 16);
        for (int id = 1; id < model.words().size(); id++) {
            long hash = KenLmModel.murmur64A(model.words().get(id).getBytes(StandardCharsets.UTF_8));
            words.putInt(slot(words, 16, hash), id);
        }
        parts.add(words);
        ByteBuffer unigrams = ByteBuffer.allocate(8 * (model.count(1) + 1)).order(ByteOrder.LITTLE_ENDIAN);
        for (int row = 0; row < model.count(1); row++) {
            int id = model.tables[0].words[row];
            unigrams.putFloat(8 * id, (id % 2 == 0 ? -1 : 1) * Math.abs(model.logProbabilities[0][row]));
            unigrams.putFloat(8 * id + 4, model.backOffs[0][row]);
        }
        parts.add(unigrams);
        for (int n = 2; n <= order; n++) {
            int slotBytes = n < order ? 16 : 12;
            ByteBuffer grams = table(model.count(n), slotBytes);
            for (int row = 0; row < model.count(n); row++) {
                int[] ids = Arrays.copyOfRange(model.tables[n - 1].words, row * n, row * n + n);
                long hash = ids[n - 1];
                for (int i = n - 2; i >= 0; i--) {
                    hash = (hash * 8978948897894561157L)
                            ^ ((1L + ids[i]) * Long.parseUnsignedLong("17894857484156487943"));
                }
                int at = slot(grams, slotBytes, hash);
                grams.putFloat(at, model.logProbabilities[n - 1][row]);
                if (n < order) {
                    grams.putFloat(at + 4, model.backOffs[n - 1][row]);
                }
            }
            parts.add(grams);
        }
        ByteBuffer all = ByteBuffer.allocate(
                parts.stream().mapToInt(ByteBuffer::capacity).sum());
        parts.forEach(part -> all.put(part.clear()));
        return all.array();
    }

    @Test
    void scoresAreThoseOfTheModelThatItWasMadeOf() throws IOException {
        SplittableRandom random = new SplittableRandom(6);
        NgramModel model = trained(random);
        Path file = Files.write(folder.resolve("model.bin"), binary(model));
        NgramScorer binary = NgramScorer.open(file);
        assertThat(binary).isInstanceOf(KenLmModel.class);
        for (int i = 0; i < 300; i++) {
            List<String> sentence = new ArrayList<>();
            for (int w = 0; w < random.nextInt(12); w++) {
                sentence.add(random.nextInt(9) == 0 ? "unheard" : "wörd" + random.nextInt(12) * random.nextInt(12));
            }
            assertThat(binary.logProbability(sentence)).isCloseTo(model.logProbability(sentence), within(1e-4));
        }
        assertThat(binary.perplexity(List.of("wörd0", "wörd0")))
                .isCloseTo(model.perplexity(List.of("wörd0", "wörd0")), within(1e-3));
    }

    /** Values of the reference implementation (SMHasher's). */
    @Test
    void wordsAreHashedByMurmur64A() {
        assertThat(KenLmModel.murmur64A(new byte[0])).isZero();
        assertThat(Long.toHexString(KenLmModel.murmur64A("a".getBytes(StandardCharsets.UTF_8))))
                .isEqualTo("71717d2d36b6b11");
    }

    @Test
    void otherKindsAndDamagedFilesAreRefused() throws IOException {
        byte[] good = binary(trained(new SplittableRandom(7)));
        Path file = folder.resolve("bad.bin");
        byte[] trie = good.clone();
        trie[96] = 2;
        Files.write(file, trie);
        assertThatThrownBy(() -> KenLmModel.open(file))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("probing");
        Files.write(file, Arrays.copyOf(good, good.length - 100));
        assertThatThrownBy(() -> KenLmModel.open(file)).hasMessageContaining("tables");
        byte[] absurd = good.clone();
        Arrays.fill(absurd, 108, 116, (byte) 0x7f);
        Files.write(file, absurd);
        assertThatThrownBy(() -> KenLmModel.open(file)).hasMessageContaining("number of n-grams");
        Files.writeString(file, "\\data\\\nngram 1=1\n");
        assertThatThrownBy(() -> KenLmModel.open(file)).isInstanceOf(CorruptFileException.class);
    }
}
