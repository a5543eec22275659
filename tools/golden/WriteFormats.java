import dev.puna.formats.Gguf;
import dev.puna.formats.MetaCheckpoint;
import dev.puna.formats.MetaCheckpoint.EmbeddingSplit;
import dev.puna.formats.OutgoingTensor;
import dev.puna.formats.Safetensors;
import dev.puna.formats.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Reads the golden files and writes them again, for check_formats.py to read: GOLDEN OUT. */
class WriteFormats {
    public static void main(String[] args) throws IOException {
        Path golden = Path.of(args[0]);
        Path out = Path.of(args[1]);
        try (Safetensors source = Safetensors.open(golden.resolve("types.safetensors"))) {
            Safetensors.write(out.resolve("types.safetensors"), source.metadata(), all(source));
        }
        try (Safetensors source = Safetensors.open(golden.resolve("sharded"))) {
            Safetensors.writeDirectory(out.resolve("sharded"), Map.of("format", "pt"), all(source), 600);
        }
        try (Gguf source = Gguf.open(golden.resolve("types.gguf"))) {
            Gguf.write(out.resolve("types.gguf"), source.metadata(), all(source));
        }
        try (MetaCheckpoint source = MetaCheckpoint.open(golden.resolve("types.pth"))) {
            MetaCheckpoint.write(out.resolve("types.pth"), all(source), 1, EmbeddingSplit.WIDTH);
        }
        for (String meta : List.of("meta-llama2", "meta-llama3")) {
            try (MetaCheckpoint source = MetaCheckpoint.open(golden.resolve(meta))) {
                EmbeddingSplit split = meta.endsWith("2") ? EmbeddingSplit.WIDTH : EmbeddingSplit.VOCABULARY;
                MetaCheckpoint.write(out.resolve(meta), all(source), source.shardCount(), split);
            }
        }
    }

    private static List<OutgoingTensor> all(TensorSource source) {
        return source.names().stream()
                .filter(name -> source.describe(name).dtype().isPresent())
                .map(name -> OutgoingTensor.of(source, name))
                .toList();
    }
}
