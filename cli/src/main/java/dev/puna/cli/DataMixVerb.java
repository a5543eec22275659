package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.data.mixture.Mixture;
import dev.puna.data.shard.TokenSampler;
import dev.puna.data.shard.TokenShard;
import dev.puna.data.shard.TokenShardWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** {@code puna data mix}: what a mixture means in tokens and epochs, and the mixture as one shard. */
final class DataMixVerb extends Verb {
    private final Value<String> recipe = options.argument(
                    "MIXTURE.yaml", "Sources and their shares (recipes/data has LLaMA-1's and Llama-3's).")
            .required();
    private final Value<Boolean> dryRun = options.flag("--dry-run", "Only print tokens and epochs of each source.");
    private final Value<Double> tokens =
            options.number("--tokens", "N", "Tokens of the run, in place of the recipe's: 2e12.", 1, 9e18);
    private final Value<String> out =
            options.text("-o,--out", "PREFIX", "Write the samples in their order to PREFIX.bin and PREFIX.idx.");
    private final Value<Integer> length =
            options.integer("--sequence-length", "N", "Tokens of a sample. Default: 2048.", 1);
    private final Value<Long> seed = options.wholeNumber("--seed", "S", "Of the order. Default: 0.");
    private final DataOptions data = new DataOptions(terminal, options);

    DataMixVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna data mix recipes/data/mixture-llama1.yaml --dry-run",
                "puna data mix recipes/data/mixture-llama3.yaml --dry-run --tokens 1e9 --json",
                "puna data mix mixture.yaml --tokens 1e8 --sequence-length 2048 --out tokens/mixed");
    }

    @Override
    void run() throws IOException {
        if (dryRun.isGiven() == out.isGiven()) {
            throw new UsageException("name either --dry-run or --out PREFIX");
        }
        Mixture read = Mixture.read(Path.of(recipe.get()));
        Mixture mixture =
                tokens.isGiven() ? new Mixture(read.name(), tokens.get().longValue(), read.sources()) : read;
        if (data.json()) {
            terminal.out().println(Json.writePretty(mixture.plan()));
        } else {
            terminal.out().print(mixture.table());
        }
        if (out.isGiven()) {
            write(mixture, Path.of(out.get()));
        }
    }

    private void write(Mixture mixture, Path prefix) throws IOException {
        List<TokenShard> opened = new ArrayList<>();
        int sequence = length.or(2048);
        try {
            TokenSampler sampler = mixture.sampler(sequence, seed.or(0L), opened);
            int bytesPerToken =
                    opened.stream().mapToInt(TokenShard::bytesPerToken).max().orElse(4);
            long samples = Math.ceilDiv(mixture.tokens(), sequence);
            int[] ids = new int[sequence + 1];
            try (TokenShardWriter writer =
                            new TokenShardWriter(prefix, bytesPerToken == 2 ? 65_536 : Integer.MAX_VALUE);
                    ProgressBar bar = new ProgressBar(terminal, "mixing", ProgressBar.Unit.TOKENS)) {
                try {
                    for (long i = 0; i < samples; i++) {
                        sampler.sample(i, ids, 0);
                        writer.add(ids, 0, sequence);
                        bar.show("", writer.tokens(), samples * sequence);
                    }
                } catch (IOException | RuntimeException e) {
                    writer.abandon();
                    throw e;
                }
            }
            terminal.err().println(prefix + ".bin, .idx: " + Quantity.count(samples) + " samples of " + sequence);
        } finally {
            opened.forEach(TokenShard::close);
        }
    }
}
