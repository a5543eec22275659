package dev.puna.model;

import dev.puna.formats.Safetensors;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsProvider;
import dev.puna.kernels.KernelsProvider.Availability.Available;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.ServiceLoader;

/** A tiny model and what transformers computes with it; made by tools/golden/models.py. */
record Golden(Path model, int[] prompt, float[] logits, float[] logprobs, int[] greedy) {
    static final Path DIRECTORY = Path.of("src/test/resources/golden");
    static final List<String> HUGGING_FACE = List.of(
            "llama-1",
            "llama-2-gqa",
            "llama-3",
            "llama-3.1",
            "llama-3.2-tied",
            "linear-scaling",
            "odd",
            "biases",
            "shards",
            "bf16",
            "f16");
    static final List<String> QUANTIZED = List.of("quantized-32", "quantized-256");

    static Golden of(String name) {
        boolean quantized = QUANTIZED.contains(name);
        Path model = DIRECTORY.resolve(quantized ? name + ".gguf" : name);
        Path expected =
                quantized ? DIRECTORY.resolve(name + ".golden.safetensors") : model.resolve("golden.safetensors");
        try (Safetensors file = Safetensors.open(expected)) {
            return new Golden(
                    model,
                    ids(file.tensor("prompt")),
                    file.tensor("logits").toFloats(),
                    file.tensor("logprobs").toFloats(),
                    ids(file.tensor("greedy")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int[] ids(Tensor tensor) {
        return Arrays.stream(tensor.data().toArray(Tensor.I64_LE))
                .mapToInt(Math::toIntExact)
                .toArray();
    }

    LlamaCheckpoint open() {
        try {
            return LlamaCheckpoint.open(model);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The tiers that serve on this machine. */
    static List<String> tiers() {
        List<String> tiers = new ArrayList<>();
        for (KernelsProvider provider : ServiceLoader.load(KernelsProvider.class)) {
            if (provider.probe() instanceof Available) {
                tiers.add(provider.name());
            }
        }
        return tiers;
    }

    /** The logits (T, V) of ids that are fed in pieces of at most {@code piece}. */
    static float[] logits(LlamaCheckpoint checkpoint, String tier, int threadCount, int[] ids, int piece) {
        return logits(checkpoint, tier, threadCount, ids, piece, KvCache.PAGE_LENGTH);
    }

    static float[] logits(
            LlamaCheckpoint checkpoint, String tier, int threadCount, int[] ids, int piece, int pageLength) {
        LlamaConfig config = checkpoint.config();
        int vocabulary = config.vocabularySize();
        float[] all = new float[ids.length * vocabulary];
        try (ThreadTeam threads = new ThreadTeam("test", threadCount);
                Kernels kernels = Kernels.open(tier, threads);
                LlamaModel model = new LlamaModel(config, checkpoint.weights(), kernels);
                KvCache cache = new KvCache(config, DType.F32, pageLength);
                Activations activations = new Activations(config, piece);
                Slab slab = new Slab(Slab.bytesFor(DType.F32, piece, vocabulary))) {
            Tensor logits = slab.allocate(DType.F32, piece, vocabulary);
            for (int done = 0; done < ids.length; done += piece) {
                int count = Math.min(piece, ids.length - done);
                cache.reserve(done + count);
                int[] part = Arrays.copyOfRange(ids, done, done + count);
                Tensor hidden = model.forward(TokenBatch.allOf(part, cache, done), activations);
                model.logits(logits.rows(0, count), hidden);
                float[] values = logits.rows(0, count).toFloats();
                System.arraycopy(values, 0, all, done * vocabulary, values.length);
            }
        }
        return all;
    }

    static int argmax(float[] logits, int from, int length) {
        int best = from;
        for (int i = from + 1; i < from + length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best - from;
    }
}
