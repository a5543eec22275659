package dev.puna.formats;

/**
 * How Meta's releases divide a weight among model-parallel shards (fairscale's {@code ColumnParallelLinear},
 * {@code RowParallelLinear} and {@code ParallelEmbedding}; the names speak of the transposed matrix).
 */
enum ModelParallel {
    /** Each shard has some of the rows: {@code wq wk wv w1 w3 output}. */
    ROWS,
    /** Each shard has some of the columns: {@code wo w2}. */
    COLUMNS,
    /** Columns in LLaMA-1 and Llama-2, rows from Llama-3 on: {@code tok_embeddings}. */
    EMBEDDING,
    /** Each shard has everything: the norms. */
    REPLICATED,
    /** Nothing is known about this name. */
    UNKNOWN;

    static ModelParallel of(String name) {
        boolean bias = name.endsWith(".bias");
        String module = name.substring(0, Math.max(0, name.lastIndexOf('.')));
        return switch (module.substring(module.lastIndexOf('.') + 1)) {
            case "wq", "wk", "wv", "w1", "w3", "output" -> ROWS;
            case "wo", "w2" -> bias ? REPLICATED : COLUMNS;
            case "tok_embeddings" -> EMBEDDING;
            case "attention_norm", "ffn_norm", "norm" -> REPLICATED;
            default -> UNKNOWN;
        };
    }
}
