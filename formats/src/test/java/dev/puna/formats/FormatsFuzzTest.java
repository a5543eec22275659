package dev.puna.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Valid small files, damaged 100,000 times (15,000 times without the slow tests): a reader either reads (the damage may be in the numbers) or says what is
 * wrong. No other exception, no endless loop, no memory on the file's word (the JVM of the tests has 3 GB).
 */
class FormatsFuzzTest {
    private static final int QUICK = 15_000;
    private static final int THOROUGH = 100_000;

    /** Values at which sizes and counts turn over. */
    private static final long[] EDGES = {
        0,
        1,
        -1,
        2,
        7,
        0x7F,
        0xFF,
        0x7FFF,
        0xFFFF,
        Integer.MAX_VALUE,
        Integer.MIN_VALUE,
        0xFFFF_FFFFL,
        1L << 32,
        1L << 48,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        Long.MAX_VALUE - 31,
        1L << 62
    };

    private static final List<byte[]> WORDS = List.of(
            "\"a\"".getBytes(java.nio.charset.StandardCharsets.UTF_8),
            "999999999999999999".getBytes(java.nio.charset.StandardCharsets.UTF_8),
            "[[[[[[[[[[[".getBytes(java.nio.charset.StandardCharsets.UTF_8),
            "cos\nsystem\n".getBytes(java.nio.charset.StandardCharsets.UTF_8),
            "}}]])(((ttttR".getBytes(java.nio.charset.StandardCharsets.UTF_8),
            new byte[] {'h', 0, (byte) 0x86, 'q', 0},
            new byte[] {9, 0, 0, 0, 9, 0, 0, 0});

    @ParameterizedTest
    @CsvSource({"types.safetensors, 1", "types.gguf, 2", "module.pth, 3", "types.pth, 4"})
    void onlyCorruptFileExceptionEscapes(String file, long seed) throws IOException {
        damage(file, seed, QUICK);
    }

    @Tag("slow")
    @ParameterizedTest
    @CsvSource({"types.safetensors, 11", "types.gguf, 12", "module.pth, 13", "types.pth, 14"})
    void onlyCorruptFileExceptionEscapesThorough(String file, long seed) throws IOException {
        damage(file, seed, THOROUGH);
    }

    private static void damage(String file, long seed, int mutations) throws IOException {
        byte[] valid = Files.readAllBytes(FormatsGoldenTest.GOLDEN.resolve(file));
        // Damage belongs into the part that is parsed: all of an archive, the header of the others.
        int parsed = file.endsWith(".gguf") ? 3000 : valid.length;
        Assertions.assertTimeoutPreemptively(Duration.ofMinutes(2), () -> {
            int refused = 0;
            SplittableRandom random = new SplittableRandom(seed);
            for (int i = 0; i < mutations; i++) {
                byte[] damaged = mutate(valid, parsed, random);
                try {
                    read(file, damaged);
                } catch (CorruptFileException expected) {
                    refused++;
                } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
                    Path kept = Files.write(Files.createTempFile("fuzz", file), damaged);
                    fail(
                            "mutation " + i + " of " + file + ", kept in " + kept + " ("
                                    + HexFormat.of().formatHex(damaged, 0, Math.min(damaged.length, 64)) + "…)",
                            e);
                }
            }
            assertThat(refused).as("most damage is found").isGreaterThan(mutations / 10);
        });
    }

    /** The pickle alone is damaged and its checksum put right, or the checksum would find everything. */
    @ParameterizedTest
    @CsvSource({"module.pth, 5", "nested.pth, 6"})
    void picklesWithAGoodChecksum(String file, long seed) throws IOException {
        damagePickle(file, seed, QUICK);
    }

    @Tag("slow")
    @ParameterizedTest
    @CsvSource({"module.pth, 15", "nested.pth, 16"})
    void picklesWithAGoodChecksumThorough(String file, long seed) throws IOException {
        damagePickle(file, seed, THOROUGH);
    }

    private static void damagePickle(String file, long seed, int mutations) throws IOException {
        byte[] valid = Files.readAllBytes(FormatsGoldenTest.GOLDEN.resolve(file));
        StoredZip.Member pickle = StoredZip.read(Path.of(file), MemorySegment.ofArray(valid)).values().stream()
                .filter(member -> member.name().endsWith("data.pkl"))
                .findFirst()
                .orElseThrow();
        int from = Math.toIntExact(pickle.offset());
        int to = from + Math.toIntExact(pickle.size());
        int checksumAt = lastIndexOf(valid, pickle.crc32());
        byte[] program = Arrays.copyOfRange(valid, from, to);
        Assertions.assertTimeoutPreemptively(Duration.ofMinutes(2), () -> {
            int refused = 0;
            int read = 0;
            SplittableRandom random = new SplittableRandom(seed);
            for (int i = 0; i < mutations; i++) {
                byte[] damaged = valid.clone();
                byte[] mutated = Arrays.copyOf(mutate(program, program.length, random), program.length);
                System.arraycopy(mutated, 0, damaged, from, mutated.length);
                CRC32 crc32 = new CRC32();
                crc32.update(mutated);
                put(MemorySegment.ofArray(damaged), checksumAt, 4, crc32.getValue());
                try {
                    read(file, damaged);
                    read++;
                } catch (CorruptFileException expected) {
                    assertThat(expected.expected()).doesNotContain("checksum");
                    refused++;
                }
            }
            assertThat(refused).isGreaterThan(mutations / 10);
            assertThat(read).isGreaterThan(0);
        });
    }

    private static int lastIndexOf(byte[] bytes, int word) {
        MemorySegment segment = MemorySegment.ofArray(bytes);
        for (int at = bytes.length - 4; at >= 0; at--) {
            if (segment.get(Tensor.I32_LE, at) == word) {
                return at;
            }
        }
        throw new IllegalStateException("no checksum");
    }

    private static void read(String file, byte[] bytes) {
        Path path = Path.of(file);
        MemorySegment segment = MemorySegment.ofArray(bytes);
        if (file.endsWith(".safetensors")) {
            SafetensorsHeader.read(path, segment);
        } else if (file.endsWith(".gguf")) {
            for (GgufValue value : Gguf.read(path, segment).metadata().values().values()) {
                if (value instanceof GgufValue.Array array) {
                    array.values();
                }
            }
        } else {
            try (Arena arena = Arena.ofConfined()) {
                for (TorchArchive.View view : TorchArchive.read(path, segment).values()) {
                    view.contiguous(arena);
                }
            } catch (ConfigurationException e) {
                throw new AssertionError(e);
            }
        }
    }

    private static byte[] mutate(byte[] valid, int parsed, SplittableRandom random) {
        byte[] bytes = valid.clone();
        MemorySegment segment = MemorySegment.ofArray(bytes);
        int changes = 1 + random.nextInt(3);
        for (int c = 0; c < changes; c++) {
            int at = random.nextInt(Math.min(parsed, bytes.length));
            switch (random.nextInt(8)) {
                case 0 -> bytes[at] = (byte) random.nextInt();
                case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> put(segment, at, 8, EDGES[random.nextInt(EDGES.length)]);
                case 3 -> put(segment, at, 4, EDGES[random.nextInt(EDGES.length)]);
                case 4 -> put(segment, at, 2, EDGES[random.nextInt(EDGES.length)]);
                case 5 -> {
                    int from = random.nextInt(bytes.length);
                    int length = Math.min(1 + random.nextInt(64), bytes.length - Math.max(at, from));
                    System.arraycopy(valid, from, bytes, at, length);
                }
                case 6 -> {
                    byte[] word = WORDS.get(random.nextInt(WORDS.size()));
                    System.arraycopy(word, 0, bytes, at, Math.min(word.length, bytes.length - at));
                }
                default -> {
                    if (c == changes - 1) {
                        return Arrays.copyOf(bytes, random.nextInt(bytes.length + 16));
                    }
                }
            }
        }
        return bytes;
    }

    private static void put(MemorySegment segment, int at, int size, long value) {
        for (int i = 0; i < size && at + i < segment.byteSize(); i++) {
            segment.set(ValueLayout.JAVA_BYTE, at + i, (byte) (value >>> (8 * i)));
        }
    }
}
