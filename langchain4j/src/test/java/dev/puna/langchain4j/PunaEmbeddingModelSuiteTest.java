package dev.puna.langchain4j;

import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.common.AbstractEmbeddingModelIT;
import dev.langchain4j.model.embedding.listener.EmbeddingModelListener;
import dev.puna.inference.Pooling;
import java.util.List;

/** LangChain4j's own suite. */
class PunaEmbeddingModelSuiteTest extends AbstractEmbeddingModelIT {
    @Override
    protected List<EmbeddingModel> models() {
        return List.of(
                PunaEmbeddingModel.of(EngineOfTests.ENGINE, EngineOfTests.NAME),
                new PunaEmbeddingModel(EngineOfTests.ENGINE, EngineOfTests.NAME, Pooling.LAST, List.of()));
    }

    @Override
    protected EmbeddingModel modelWith(EmbeddingModelListener listener) {
        return new PunaEmbeddingModel(EngineOfTests.ENGINE, EngineOfTests.NAME, Pooling.MEAN, List.of(listener));
    }

    @Override
    protected boolean supportsInputTypeParameter() {
        return false;
    }

    @Override
    protected boolean supportsDimensionsParameter() {
        return false;
    }

    @Override
    protected boolean supportsImageInput() {
        return false;
    }

    @Override
    protected boolean supportsInterleavedInput() {
        return false;
    }
}
