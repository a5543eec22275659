package dev.puna.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MetaCheckpointTest {
    @TempDir
    Path directory;

    private static Tensor counting(long... dims) {
        float[] values = new float[Math.toIntExact(Shape.of(dims).elementCount())];
        for (int i = 0; i < values.length; i++) {
            values[i] = i;
        }
        return Tensor.ofFloats(values, dims);
    }

    private static final List<OutgoingTensor> TENSORS = List.of(
            OutgoingTensor.of("tok_embeddings.weight", counting(6, 4)),
            OutgoingTensor.of("layers.0.attention.wq.weight", counting(4, 4)),
            OutgoingTensor.of("layers.0.attention.wo.weight", counting(4, 4)),
            OutgoingTensor.of("norm.weight", counting(4)));

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void writesAndReadsShards(int shards) throws IOException {
        for (MetaCheckpoint.EmbeddingSplit split : MetaCheckpoint.EmbeddingSplit.values()) {
            MetaCheckpoint.write(directory, TENSORS, shards, split);
            assertThat(SafetensorsTest.list(directory)).hasSize(shards);
            try (MetaCheckpoint read = MetaCheckpoint.open(directory);
                    Arena arena = Arena.ofConfined()) {
                for (OutgoingTensor tensor : TENSORS) {
                    Tensor whole = read.tensor(tensor.name(), arena);
                    assertThat(whole.shape()).isEqualTo(tensor.shape());
                    assertThat(whole.toFloats())
                            .as(tensor.name())
                            .isEqualTo(counting(tensor.shape().dims()).toFloats());
                }
            }
        }
    }

    @Test
    void aShardHasItsPartAlongTheRightAxis() throws IOException {
        MetaCheckpoint.write(directory, TENSORS, 2, MetaCheckpoint.EmbeddingSplit.WIDTH);
        try (MetaCheckpoint read = MetaCheckpoint.open(directory.resolve("consolidated.01.pth"))) {
            assertThat(read.tensor("tok_embeddings.weight").shape()).isEqualTo(Shape.of(6, 2));
            assertThat(read.tensor("tok_embeddings.weight").toFloats()).startsWith(2, 3, 6, 7);
            assertThat(read.tensor("layers.0.attention.wq.weight").toFloats())
                    .containsExactly(8, 9, 10, 11, 12, 13, 14, 15);
            assertThat(read.tensor("layers.0.attention.wo.weight").toFloats())
                    .containsExactly(2, 3, 6, 7, 10, 11, 14, 15);
            assertThat(read.tensor("norm.weight").toFloats()).containsExactly(0, 1, 2, 3);
        }
    }

    @Test
    void bytesArriveInPiecesOfAnySize() throws IOException {
        OutgoingTensor whole = TENSORS.get(2);
        for (int piece : new int[] {1, 3, 8, 13, 64}) {
            OutgoingTensor crumbs = new OutgoingTensor(whole.name(), whole.dtype(), whole.shape(), sink -> {
                MemorySegment bytes = counting(4, 4).data();
                for (long at = 0; at < bytes.byteSize(); at += piece) {
                    sink.accept(bytes.asSlice(at, Math.min(piece, bytes.byteSize() - at)));
                }
            });
            MetaCheckpoint.write(directory, List.of(crumbs), 2, MetaCheckpoint.EmbeddingSplit.WIDTH);
            try (MetaCheckpoint read = MetaCheckpoint.open(directory)) {
                assertThat(read.tensor(whole.name()).toFloats())
                        .isEqualTo(counting(4, 4).toFloats());
            }
        }
    }

    @Test
    void anotherZipReaderAgreesAndZip64IsWrittenAndRead() throws IOException {
        for (long limit : new long[] {StoredZip.MAX_32, 16, 0}) {
            Path file = MetaCheckpoint.write(directory, TENSORS, 1, MetaCheckpoint.EmbeddingSplit.WIDTH, limit)
                    .getFirst();
            try (ZipFile zip = new ZipFile(file.toFile())) {
                ZipEntry entry = zip.getEntry("consolidated.00/data/3");
                byte[] content = zip.getInputStream(entry).readAllBytes();
                assertThat(content).isEqualTo(GgufTest.bytes(viaBytes(counting(4))));
                CRC32 crc32 = new CRC32();
                crc32.update(content);
                assertThat(entry.getCrc()).isEqualTo(crc32.getValue());
            }
            try (MetaCheckpoint read = MetaCheckpoint.open(file)) {
                assertThat(read.tensor("norm.weight").toFloats()).containsExactly(0, 1, 2, 3);
                assertThat(read.tensor("norm.weight").data().address() % 64).isZero();
            }
        }
    }

    private static Tensor viaBytes(Tensor tensor) {
        MemorySegment copy = MemorySegment.ofArray(new byte[(int) tensor.data().byteSize()]);
        copy.copyFrom(tensor.data());
        return new Tensor(copy, tensor.dtype(), tensor.shape());
    }

    @Test
    void fewerShardsThanBefore() throws IOException {
        MetaCheckpoint.write(directory, TENSORS, 4, MetaCheckpoint.EmbeddingSplit.WIDTH);
        MetaCheckpoint.write(directory, TENSORS, 2, MetaCheckpoint.EmbeddingSplit.WIDTH);
        assertThat(SafetensorsTest.list(directory)).containsExactly("consolidated.00.pth", "consolidated.01.pth");
    }

    @Test
    void aMissingShardIsNamed() throws IOException {
        MetaCheckpoint.write(directory, TENSORS, 4, MetaCheckpoint.EmbeddingSplit.WIDTH);
        Files.delete(directory.resolve("consolidated.01.pth"));
        assertThatThrownBy(() -> MetaCheckpoint.open(directory)).hasMessageContaining("consolidated.01.pth");
    }

    @Test
    void whatCannotBeDivided() {
        assertThatThrownBy(() -> MetaCheckpoint.write(directory, TENSORS, 3, MetaCheckpoint.EmbeddingSplit.WIDTH))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("tok_embeddings.weight (6, 4)");
        OutgoingTensor quantized =
                OutgoingTensor.of("q", new Tensor(MemorySegment.ofArray(new byte[34]), DType.Q8_0, Shape.of(1, 32)));
        assertThatThrownBy(() ->
                        MetaCheckpoint.write(directory, List.of(quantized), 1, MetaCheckpoint.EmbeddingSplit.WIDTH))
                .isInstanceOf(ConfigurationException.class);
        assertThat(SafetensorsTest.list(directory)).isEmpty();
    }

    @Test
    void truncatedAnywhere() throws IOException {
        Path file = FormatsGoldenTest.GOLDEN.resolve("module.pth");
        MemorySegment whole = MemorySegment.ofArray(Files.readAllBytes(file));
        assertThat(TorchArchive.read(file, whole)).hasSize(2);
        for (long size = 0; size < whole.byteSize(); size++) {
            MemorySegment cut = whole.asSlice(0, size);
            assertThatThrownBy(() -> TorchArchive.read(file, cut)).isInstanceOf(CorruptFileException.class);
        }
    }

    @Test
    void compressedMembersAreRefused() throws IOException {
        Path file = directory.resolve("x.pth");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
            zip.putNextEntry(new ZipEntry("x/data.pkl"));
            zip.write(new byte[1 << 20]);
        }
        assertThatThrownBy(() -> MetaCheckpoint.open(file))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("compressed");
    }

    @Test
    void stridesThatLeaveOrRepeatTheStorage() {
        refuse(pickle("J\u0004\u0000\u0000\u0000", "K\u0005\u0085", "K\u0001\u0085"), "within its storage");
        refuse(pickle("J\u0004\u0000\u0000\u0000", "K\u0002\u0085", "K\u0004\u0085"), "within its storage");
        refuse(pickle("J\u0004\u0000\u0000\u0000", "K\u0008\u0085", "K\u0000\u0085"), "within its storage");
        refuse(pickle("J\u0004\u0000\u0000\u0000", "J\u00ff\u00ff\u00ff\u00ff\u0085", "K\u0001\u0085"), "at least 0");
        refuse(pickle("J\u0004\u0000\u0000\u0000", "K\u0001K\u0001\u0086", "K\u0001\u0085"), "stride for each");
        String huge = "\u008a\u0008\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007f";
        refuse(pickle("J\u0004\u0000\u0000\u0000", huge + huge + "\u0086", "K\u0001K\u0001\u0086"), "2^63");
        refuse(pickle("J\u0004\u0000\u0000\u0000", "K\u0002\u0085", huge + "\u0085"), "within its storage|2^63");
        refuse(pickle(huge, "K\u0001\u0085", "K\u0001\u0085"), "2^63");
        refuse(pickle("J\u0005\u0000\u0000\u0000", "K\u0001\u0085", "K\u0001\u0085"), "20 bytes for the storage");
    }

    /** {@code {"a": _rebuild_tensor_v2(storage of count, 0, size, stride, …)}} over a storage of 16 bytes. */
    private static String pickle(String count, String size, String stride) {
        return "\u0080\u0002}X\u0001\u0000\u0000\u0000a"
                + "ctorch._utils\n_rebuild_tensor_v2\n((X\u0007\u0000\u0000\u0000storagectorch\nFloatStorage\n"
                + "X\u0001\u0000\u0000\u00000X\u0003\u0000\u0000\u0000cpu" + count + "tQK\u0000" + size + stride
                + "\u0089ccollections\nOrderedDict\n)RtRs.";
    }

    @Test
    void picklesThatWantToDoSomething() {
        refuse("\u0080\u0002cos\nsystem\nX\u0002\u0000\u0000\u0000ls\u0085R.", "os.system");
        refuse("\u0080\u0004\u008c\u0002os\u008c\u0006system\u0093.", "os.system");
        refuse("\u0080\u0002cbuiltins\neval\n.", "builtins.eval");
        refuse("\u0080\u0002ctorch\nload\n.", "torch.load");
        refuse("(S'ls'\nios\nsystem\n.", "operation");
        refuse("\u0080\u0002\u0082\u0001.", "operation");
        refuse("\u0080\u0002}}\u0081.", "operation");
        refuse("\u0080\u0002" + "c" + "a".repeat(5000), "name of a class");
        refuse("\u0080\u0002N", "pickle operation");
        refuse("\u0080\u0002.", "stack");
        refuse("\u0080\u0002(.", "stack");
        refuse("\u0080\u0002N(.", "stack");
        refuse("\u0080\u0002t.", "mark");
        refuse("\u0080\u0002h\u0007.", "memo 7");
        refuse("\u0080\u0002X\u00ff\u00ff\u00ff\u00ffa.", "bytes");
        refuse("\u0080\u0002N.", "dictionary");
        refuse("\u0080\u0063}.", "protocol 99");
        refuse("\u0080\u0002}K\u0001K\u0001sK\u0001K\u0001s.", "again");
        refuse("\u0080\u0002}(K\u0001u.", "pairs");
        refuse("\u0080\u0002})K\u0001s.", "key");
        refuse("N".repeat(1_100_000), "stack");
    }

    @Test
    void aMemoBombIsNeverUnfolded() {
        // t = (); then forty times t = (t, t): 2^40 leaves if anybody walked them.
        StringBuilder bomb = new StringBuilder("\u0080\u0002}X\u0001\u0000\u0000\u0000a)q\u0000");
        for (int i = 0; i < 40; i++) {
            bomb.append("h\u0000\u0086q\u0000");
        }
        bomb.append("s.");
        assertThat(TorchArchive.read(directory, archive(bomb.toString()))).isEmpty();
        refuse(bomb.toString().replace("s.", "K\u0001s."), "");
    }

    @Test
    void nothingHappensBeyondTheSizeOfThePickle() {
        refuse("}".repeat(1_000_000), "stack|operation");
        refuse("]".repeat(900_000) + ".", "one object");
    }

    private void refuse(String pickle, String message) {
        assertThatThrownBy(() -> TorchArchive.read(Path.of("x.pth"), archive(pickle)))
                .isInstanceOf(CorruptFileException.class)
                .message()
                .containsPattern(
                        message.contains("|")
                                ? "(" + message.replace("^", "\\^") + ")"
                                : java.util.regex.Pattern.quote(message));
    }

    /** An archive of this pickle and one storage of 16 bytes. */
    private MemorySegment archive(String pickle) {
        Path file = directory.resolve("archive.pth");
        try (AtomicFile out = AtomicFile.create(file)) {
            StoredZipWriter zip = new StoredZipWriter(out, StoredZip.MAX_32);
            zip.member("x/data.pkl", pickle.getBytes(StandardCharsets.ISO_8859_1));
            zip.member("x/data/0", new byte[16]);
            zip.finish();
            out.publish();
            return MemorySegment.ofArray(Files.readAllBytes(file));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
