package dev.puna.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.data.source.Fidelity;
import dev.puna.data.source.GitHubSource;
import dev.puna.data.source.JsonlSource;
import dev.puna.data.source.Licences;
import dev.puna.data.source.Split;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files of tools/golden/parquet.py, which pyarrow wrote. */
class ParquetReaderTest {
    private static final String[] FILES = {"snappy-v1", "zstd-v2", "gzip-plain", "none-delta"};

    @TempDir
    Path folder;

    private static Path golden(String name) {
        try {
            return Path.of(Objects.requireNonNull(ParquetReaderTest.class.getResource("/parquet/" + name + ".parquet"))
                    .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"snappy-v1", "zstd-v2", "gzip-plain", "none-delta"})
    void rowsAreThoseThatWereWritten(String name) throws IOException {
        ReadReport report = new ReadReport();
        try (RecordReader reader = RecordReader.open(golden(name), 0, Long.MAX_VALUE, report)) {
            for (int i = 0; i < 300; i++) {
                Map<String, Object> row = Objects.requireNonNull(reader.nextRecord());
                assertThat(row.get("content"))
                        .isEqualTo(("int value" + i + " = " + i * 7919 + ";\n").repeat(1 + i % 5));
                assertThat(row.get("path")).isEqualTo("src/dir" + i % 3 + "/File" + i + ".java");
                assertThat(row.get("repo_name")).isEqualTo(new String[] {"one/two", "three/four", null}[i % 3]);
                assertThat(row.get("license")).isEqualTo(new String[] {"mit", "gpl-2.0", "apache-2.0", null}[i % 4]);
                assertThat(row.get("size")).isEqualTo(i % 7 == 0 ? null : i * 1_000_003L);
                assertThat(row.get("stars")).isEqualTo((long) (i % 11));
                assertThat(row.get("share")).isEqualTo(i / 8.0);
                assertThat(row.get("fork")).isEqualTo(i % 3 == 0);
                assertThat(row).doesNotContainKeys("topics", "owner", "element", "name");
                assertThat(reader.offset()).isEqualTo(i);
            }
            assertThat(reader.nextRecord()).isNull();
        }
        assertThat(report.bytes()).isBetween(5_000L, Files.size(golden(name)));
    }

    @Test
    void splitsHoldEveryRowOnce() throws IOException {
        Path file = golden("snappy-v1");
        JsonlSource source = new JsonlSource("code");
        List<Split> splits = source.splits(file);
        assertThat(splits).hasSize(3);
        List<String> paths = new ArrayList<>();
        for (Split split : splits) {
            source.read(split, d -> paths.add(Objects.requireNonNull(d.string("path"))), new ReadReport());
        }
        assertThat(paths).hasSize(300).doesNotHaveDuplicates();
    }

    @Test
    void anExportOfGitHubIsFilteredByLicence() throws IOException {
        ReadReport report = new ReadReport();
        List<Document> all = new ArrayList<>();
        new GitHubSource(GitHubSource.Rules.standard(Licences.permissive()), Fidelity.PAPER)
                .read(Split.whole(golden("zstd-v2")), all::add, report);
        assertThat(all).hasSize(150).allMatch(d -> !"gpl-2.0".equals(d.string("license")));
        assertThat(report.skipped()).containsEntry("licence", 150L);
    }

    @Test
    void aFileThatIsCutOffOrDamagedIsRefusedInBoundedTime() throws IOException {
        byte[] whole = Files.readAllBytes(golden("snappy-v1"));
        Path file = folder.resolve("cut.parquet");
        Files.write(file, java.util.Arrays.copyOf(whole, whole.length - 20));
        assertThatThrownBy(() -> RecordReader.open(file, 0, Long.MAX_VALUE, new ReadReport()))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("cut.parquet")
                .hasMessageContaining("PAR1");
        SplittableRandom random = new SplittableRandom(4);
        int refused = 0;
        for (String name : FILES) {
            byte[] bytes = Files.readAllBytes(golden(name));
            for (int round = 0; round < 150; round++) {
                byte[] damaged = bytes.clone();
                for (int k = 0; k < 6; k++) {
                    damaged[4 + random.nextInt(damaged.length - 8)] = (byte) random.nextInt(256);
                }
                Files.write(file, damaged);
                try (RecordReader reader = RecordReader.open(file, 0, Long.MAX_VALUE, new ReadReport())) {
                    for (Map<String, Object> row = reader.nextRecord(); row != null; row = reader.nextRecord()) {
                        assertThat(row).isNotNull();
                    }
                } catch (CorruptFileException e) {
                    refused++;
                    assertThat(e).hasMessageContaining("cut.parquet");
                }
            }
        }
        assertThat(refused).isGreaterThan(100);
    }
}
