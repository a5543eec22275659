package dev.puna.data.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenShardTest {
    @TempDir
    Path folder;

    private Path write(String name, int vocabulary, int[]... documents) throws IOException {
        Path prefix = folder.resolve(name);
        try (TokenShardWriter writer = new TokenShardWriter(prefix, vocabulary)) {
            for (int[] d : documents) {
                writer.add(d);
            }
        }
        return prefix;
    }

    @ParameterizedTest
    @ValueSource(ints = {65_536, 65_537, 128_256})
    void whatIsWrittenIsRead(int vocabulary) throws IOException {
        SplittableRandom random = new SplittableRandom(7);
        int[][] documents = new int[50][];
        for (int i = 0; i < documents.length; i++) {
            documents[i] = random.ints(i == 9 ? 0 : i == 20 ? 100_000 : i, 0, vocabulary)
                    .toArray();
        }
        documents[1][0] = vocabulary - 1;
        try (TokenShard shard = TokenShard.open(write("a", vocabulary, documents))) {
            assertThat(shard.bytesPerToken()).isEqualTo(vocabulary <= 65_536 ? 2 : 4);
            assertThat(shard.documentCount()).isEqualTo(50);
            long start = 0;
            for (int i = 0; i < documents.length; i++) {
                assertThat(shard.documentStart(i)).isEqualTo(start);
                assertThat(shard.document(i)).isEqualTo(documents[i]);
                if (documents[i].length > 0) {
                    assertThat(shard.documentOf(start)).isEqualTo(i);
                    assertThat(shard.documentOf(start + documents[i].length - 1))
                            .isEqualTo(i);
                }
                start += documents[i].length;
            }
            assertThat(shard.tokenCount()).isEqualTo(start);
            int[] across = new int[6];
            shard.copy(0, across, 2, 3);
            assertThat(across).containsExactly(0, 0, documents[1][0], documents[2][0], documents[2][1], 0);
        }
        try (var list = Files.list(folder)) {
            assertThat(list.map(p -> p.getFileName().toString())).containsExactlyInAnyOrder("a.bin", "a.idx");
        }
    }

    /** Byte for byte what Megatron's writer makes of the documents [5, 6, 7], [], [300]. */
    @Test
    void bytesAreMegatrons() throws IOException {
        Path prefix = write("m", 1000, new int[] {5, 6, 7}, new int[0], new int[] {300});
        ByteBuffer expected =
                ByteBuffer.allocate(9 + 8 + 1 + 8 + 8 + 3 * 4 + 3 * 8 + 4 * 8).order(ByteOrder.LITTLE_ENDIAN);
        expected.put("MMIDIDX".getBytes(java.nio.charset.StandardCharsets.US_ASCII))
                .put(new byte[2]);
        expected.putLong(1).put((byte) 8).putLong(3).putLong(4);
        expected.putInt(3).putInt(0).putInt(1);
        expected.putLong(0).putLong(6).putLong(6);
        expected.putLong(0).putLong(1).putLong(2).putLong(3);
        assertThat(Files.readAllBytes(folder.resolve("m.idx"))).isEqualTo(expected.array());
        assertThat(Files.readAllBytes(folder.resolve("m.bin"))).isEqualTo(new byte[] {5, 0, 6, 0, 7, 0, 44, 1});
        TokenShard.open(prefix).close();
    }

    @Test
    void hostileFilesAreRefused() throws IOException {
        Path prefix = write("h", 1000, new int[] {5, 6, 7}, new int[] {300});
        byte[] good = Files.readAllBytes(folder.resolve("h.idx"));
        for (int cut = 0; cut < good.length; cut++) {
            Files.write(folder.resolve("h.idx"), java.util.Arrays.copyOf(good, cut));
            assertThatThrownBy(() -> TokenShard.open(prefix)).isInstanceOf(CorruptFileException.class);
        }
        for (int at = 0; at < good.length; at++) {
            byte[] bad = good.clone();
            bad[at] ^= (byte) 0x80;
            Files.write(folder.resolve("h.idx"), bad);
            assertThatThrownBy(() -> TokenShard.open(prefix)).isInstanceOf(CorruptFileException.class);
        }
        Files.write(folder.resolve("h.idx"), good);
        Files.write(folder.resolve("h.bin"), new byte[7]);
        assertThatThrownBy(() -> TokenShard.open(prefix))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("h.bin");
    }

    @Test
    void idsOutsideTheVocabularyAreRefusedAndNothingIsLeft() throws IOException {
        Path prefix = folder.resolve("x");
        assertThatThrownBy(() -> {
                    TokenShardWriter writer = new TokenShardWriter(prefix, 10);
                    try {
                        writer.add(new int[] {10});
                    } finally {
                        writer.abandon();
                    }
                })
                .isInstanceOf(ConfigurationException.class);
        try (var list = Files.list(folder)) {
            assertThat(list).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 16, 17, 1000, 4097})
    void permutationsArePermutationsAndDiffer(long size) {
        IndexPermutation a = new IndexPermutation(size, 1);
        IndexPermutation b = new IndexPermutation(size, 2);
        boolean[] seen = new boolean[(int) size];
        int same = 0;
        for (long i = 0; i < size; i++) {
            int to = (int) a.apply(i);
            assertThat(seen[to]).isFalse();
            seen[to] = true;
            same += to == b.apply(i) ? 1 : 0;
        }
        if (size >= 1000) {
            assertThat(same).isLessThan(20);
        }
    }

    @Test
    void samplerVisitsEverySampleOnceAnEpochInItsShares() throws IOException {
        List<TokenShard> one = new ArrayList<>();
        int next = 0;
        for (int s = 0; s < 3; s++) {
            int[] ids = new int[s == 1 ? 5 : 501];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = next++;
            }
            one.add(TokenShard.open(write("one" + s, 2000, ids)));
        }
        int[] other = new int[101];
        java.util.Arrays.fill(other, 1999);
        TokenShard two = TokenShard.open(write("two", 2000, other));
        TokenSampler sampler = new TokenSampler(
                List.of(new TokenSampler.Part("one", one, 3), new TokenSampler.Part("two", List.of(two), 1)), 10, 42);
        assertThat(sampler.samplesPerEpoch(0)).isEqualTo(100);
        List<Integer> firsts = new ArrayList<>();
        int[] sample = new int[11];
        long drawn = 0;
        for (long i = 0; firsts.size() < 200; i++) {
            assertThat(sampler.drawn(0, i)).isBetween((long) (i * 0.75 - 1), (long) (i * 0.75 + 1));
            if (sampler.partOf(i) == 0) {
                sampler.sample(i, sample, 0);
                for (int t = 1; t < 11; t++) {
                    assertThat(sample[t]).isEqualTo(sample[0] + t);
                }
                firsts.add(sample[0]);
                drawn = i + 1;
            }
        }
        assertThat(sampler.epochs(0, drawn)).isEqualTo(2.0);
        List<Integer> expected = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            expected.add(i * 10);
        }
        assertThat(firsts.subList(0, 100)).containsExactlyInAnyOrderElementsOf(expected);
        assertThat(firsts.subList(100, 200)).containsExactlyInAnyOrderElementsOf(expected);
        assertThat(firsts.subList(0, 100))
                .isNotEqualTo(firsts.subList(100, 200))
                .isNotEqualTo(expected);
        one.forEach(TokenShard::close);
        two.close();
    }
}
