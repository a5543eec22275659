package dev.puna.data.pipeline;

import java.util.Map;

/**
 * What a stage took in, gave out and dropped.
 *
 * @param name of the stage
 * @param in documents
 * @param out documents
 * @param bytesIn of their texts, in UTF-8
 * @param bytesOut of their texts, in UTF-8
 * @param dropped documents, by reason
 */
public record StageCount(String name, long in, long out, long bytesIn, long bytesOut, Map<String, Long> dropped) {}
