package dev.puna.langchain4j;

import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.listener.EmbeddingModelListener;
import dev.langchain4j.model.embedding.request.EmbeddingInput;
import dev.langchain4j.model.embedding.request.EmbeddingParameter;
import dev.langchain4j.model.embedding.request.EmbeddingRequest;
import dev.langchain4j.model.embedding.response.EmbeddingResponse;
import dev.langchain4j.model.output.TokenUsage;
import dev.puna.inference.Engine;
import dev.puna.inference.Pooling;
import dev.puna.tensor.ConfigurationException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * LangChain4j's embedding model over an engine, which it borrows: the states of a text's tokens after the last norm,
 * pooled, of length 1. The texts of one request are computed together.
 */
public final class PunaEmbeddingModel implements EmbeddingModel {
    private final Engine engine;
    private final String modelName;
    private final Pooling pooling;
    private final List<EmbeddingModelListener> listeners;

    /**
     * @param modelName what answers call the model
     * @throws ConfigurationException if the model has no tokenizer
     */
    public PunaEmbeddingModel(
            Engine engine, String modelName, Pooling pooling, List<EmbeddingModelListener> listeners) {
        engine.tokenizer();
        this.engine = engine;
        this.modelName = modelName;
        this.pooling = pooling;
        this.listeners = List.copyOf(listeners);
    }

    /** The mean of all tokens. */
    public static PunaEmbeddingModel of(Engine engine, String modelName) {
        return new PunaEmbeddingModel(engine, modelName, Pooling.MEAN, List.of());
    }

    @Override
    public EmbeddingResponse doEmbed(EmbeddingRequest request) {
        List<CompletableFuture<float[]>> vectors = new ArrayList<>();
        int tokens = 0;
        for (EmbeddingInput input : request.inputs()) {
            int[] ids = engine.encodePrompt(input.text());
            tokens += ids.length;
            CompletableFuture<float[]> vector = new CompletableFuture<>();
            Thread.ofVirtual().name("puna-embedding").start(() -> {
                try {
                    vector.complete(engine.embed(ids, pooling, true));
                } catch (RuntimeException e) {
                    vector.completeExceptionally(e);
                }
            });
            vectors.add(vector);
        }
        List<Embedding> embeddings = new ArrayList<>();
        try {
            vectors.forEach(vector -> embeddings.add(Embedding.from(vector.join())));
        } catch (CompletionException e) {
            if (e.getCause() instanceof ConfigurationException cause) {
                throw new InvalidRequestException(String.valueOf(cause.getMessage()), cause);
            }
            throw e;
        }
        return EmbeddingResponse.builder()
                .embeddings(embeddings)
                .modelName(modelName)
                .tokenUsage(new TokenUsage(tokens))
                .build();
    }

    @Override
    public int dimension() {
        return engine.config().width();
    }

    @Override
    public String modelName() {
        return modelName;
    }

    @Override
    public List<EmbeddingModelListener> listeners() {
        return listeners;
    }

    @Override
    public Set<EmbeddingParameter<?>> supportedParameters() {
        return Set.of();
    }
}
