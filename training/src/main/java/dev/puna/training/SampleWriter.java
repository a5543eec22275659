package dev.puna.training;

import dev.puna.kernels.Kernels;
import dev.puna.model.Activations;
import dev.puna.model.KvCache;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaModel;
import dev.puna.model.ParameterStore;
import dev.puna.model.TokenBatch;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.StreamingDecoder;
import dev.puna.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * What the model writes while it learns: one continuation of each of the recipe's prompts. The draws depend on the
 * recipe's seed, the step and the prompt's number, so a resumed run writes the same.
 */
final class SampleWriter {
    private final Recipe recipe;
    private final Kernels kernels;
    private final Tokenizer tokenizer;
    private final List<int[]> prompts = new ArrayList<>();

    SampleWriter(Recipe recipe, Kernels kernels, Tokenizer tokenizer) {
        this.recipe = recipe;
        this.kernels = kernels;
        this.tokenizer = tokenizer;
        boolean bos = tokenizer.specialTokens().bos().isPresent();
        for (String prompt : recipe.samples().prompts()) {
            int[] ids = tokenizer.encode(prompt, bos ? EncodeOptions.WITH_BOS : EncodeOptions.TEXT);
            if (ids.length == 0 || ids.length >= recipe.config().contextLength()) {
                throw new ConfigurationException(
                        "samples.prompts",
                        "\"" + prompt + "\"",
                        "has " + ids.length + " tokens; it must have at least one and leave room in a context of "
                                + recipe.config().contextLength());
            }
            prompts.add(ids);
        }
    }

    /** The samples after {@code step}. */
    List<StepReport.Sample> write(ParameterStore parameters, long step) {
        LlamaConfig config = parameters.config();
        int longest = prompts.stream().mapToInt(ids -> ids.length).max().orElse(1);
        List<StepReport.Sample> samples = new ArrayList<>();
        try (LlamaModel model = new LlamaModel(config, parameters.weights(), kernels);
                Activations activations = new Activations(config, longest);
                Slab slab = new Slab(Slab.bytesFor(DType.F32, 1, config.vocabularySize()))) {
            Tensor logits = slab.allocate(DType.F32, 1, config.vocabularySize()); // (1, V)
            for (int p = 0; p < prompts.size(); p++) {
                SplittableRandom random = new SplittableRandom(recipe.seed() + 31 * step + 1_000_003L * p);
                int[] written = write(model, activations, logits, prompts.get(p), random);
                StreamingDecoder decoder = tokenizer.continuingDecoder();
                StringBuilder text = new StringBuilder();
                for (int id : written) {
                    text.append(decoder.next(id));
                }
                samples.add(new StepReport.Sample(
                        recipe.samples().prompts().get(p),
                        text.append(decoder.finish()).toString()));
            }
        }
        return samples;
    }

    private int[] write(
            LlamaModel model, Activations activations, Tensor logits, int[] prompt, SplittableRandom random) {
        int room = Math.min(recipe.samples().maxTokens(), model.config().contextLength() - prompt.length);
        int[] written = new int[room];
        try (KvCache cache = new KvCache(model.config(), DType.F32)) {
            cache.reserve(prompt.length + room);
            int[] next = prompt;
            int position = 0;
            for (int count = 0; count < room; count++) {
                model.logits(logits, model.forward(TokenBatch.lastOf(next, cache, position), activations));
                position += next.length;
                int id = draw(logits, random);
                if (tokenizer.specialTokens().endsGeneration(id)) {
                    return Arrays.copyOf(written, count);
                }
                written[count] = id;
                next = new int[] {id};
            }
        }
        return written;
    }

    /** One id that exists, with probability {@code softmax(logits / temperature)}. */
    private int draw(Tensor logits, SplittableRandom random) {
        int count = Math.min(recipe.vocabularyUsed(), tokenizer.vocabularySize());
        int best = 0;
        for (int id = 1; id < count; id++) {
            if (logits.getFloat(id) > logits.getFloat(best)) {
                best = id;
            }
        }
        double temperature = recipe.samples().temperature();
        if (temperature == 0) {
            return best;
        }
        double highest = logits.getFloat(best);
        double[] weights = new double[count];
        double sum = 0;
        for (int id = 0; id < count; id++) {
            weights[id] = StrictMath.exp((logits.getFloat(id) - highest) / temperature);
            sum += weights[id];
        }
        double left = random.nextDouble() * sum;
        for (int id = 0; id < count; id++) {
            left -= weights[id];
            if (left < 0) {
                return id;
            }
        }
        return best;
    }
}
