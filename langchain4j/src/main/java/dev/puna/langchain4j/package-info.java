/**
 * LangChain4j's chat and embedding models, answered by an {@link dev.puna.inference.Engine} in the same process: no
 * server between them, and what one application asks at once is computed together. What a request asks for and Puna does
 * not do is refused with LangChain4j's own exception, never ignored.
 */
@NullMarked
package dev.puna.langchain4j;

import org.jspecify.annotations.NullMarked;
