package dev.puna.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.formats.MetaCheckpoint;
import dev.puna.formats.MetaCheckpoint.EmbeddingSplit;
import dev.puna.formats.TensorDescription;
import dev.puna.formats.TensorSource;
import dev.puna.kernels.Kernels;
import dev.puna.model.LlamaCheckpoint.Format;
import dev.puna.model.convert.Conversion;
import dev.puna.model.convert.ConversionListener;
import dev.puna.model.convert.ConversionTarget;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SequencedSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What opening and converting a model in several parts takes of memory. */
class LlamaCheckpointTest {
    @Test
    void putsAShardedModelTogetherOnlyWhenItsWeightsAreAskedFor(@TempDir Path directory) throws IOException {
        Path sharded = directory.resolve("sharded");
        try (LlamaCheckpoint original = Golden.of("llama-3").open();
                ThreadTeam team = new ThreadTeam("test", 1);
                Kernels kernels = Kernels.open("reference", team)) {
            Conversion.convert(
                    original,
                    sharded,
                    new ConversionTarget.Meta(new ConversionTarget.Weights.Unchanged(), 2, EmbeddingSplit.VOCABULARY),
                    kernels,
                    ConversionListener.NONE);
            Counting source = new Counting(MetaCheckpoint.open(sharded));
            try (LlamaCheckpoint checkpoint =
                    LlamaCheckpoint.checked(sharded, Format.META, source, original.config())) {
                assertThat(source.kept).as("by opening").isEmpty();
                for (ConversionTarget target :
                        List.of(ConversionTarget.HuggingFace.usual(), ConversionTarget.Meta.usual())) {
                    Conversion.convert(
                            checkpoint,
                            directory.resolve(target.getClass().getSimpleName()),
                            target,
                            kernels,
                            ConversionListener.NONE);
                }
                assertThat(source.kept).as("by conversions").isEmpty();
                assertThat(checkpoint.weights()).isSameAs(checkpoint.weights());
                assertThat(source.kept).hasSize(original.config().tensors().size());
            }
        }
    }

    /** Notes which tensors the source itself has to keep. */
    private static final class Counting implements TensorSource {
        private final TensorSource counted;
        final List<String> kept = new ArrayList<>();

        Counting(TensorSource counted) {
            this.counted = counted;
        }

        @Override
        public Path path() {
            return counted.path();
        }

        @Override
        public SequencedSet<String> names() {
            return counted.names();
        }

        @Override
        public TensorDescription describe(String name) {
            return counted.describe(name);
        }

        @Override
        public Tensor tensor(String name) {
            kept.add(name);
            return counted.tensor(name);
        }

        @Override
        public Tensor tensor(String name, Arena arena) {
            return counted.tensor(name, arena);
        }

        @Override
        public void close() {
            counted.close();
        }
    }
}
