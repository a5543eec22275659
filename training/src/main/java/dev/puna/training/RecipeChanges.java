package dev.puna.training;

import dev.puna.tensor.ConfigurationException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/**
 * The recipe of a checkpoint against the one that is to go on from it. A resumed run must be what the uninterrupted run of
 * its recipe would have been: a value may change if no step that was taken would have been another with it.
 */
final class RecipeChanges {
    /** Decide nothing that a step computes, or only the steps to come. */
    private static final List<String> FREE = List.of(
            "name",
            "output",
            "keep",
            "batch.microSequences",
            "batch.replicas",
            "checkpoints.",
            "logging.",
            "samples.",
            "guards.",
            "data.validation",
            "data.bytesPerToken",
            "data.tokenizer");

    private RecipeChanges() {}

    /**
     * The fields that differ, {@code field: old -> new} each.
     *
     * @throws ConfigurationException where one of them would have changed the steps before {@code state}
     */
    static List<String> check(Recipe old, Recipe now, TrainingState state) {
        List<String> changes = between(old, now);
        List<String> refused = changes.stream()
                .filter(change -> !isFree(change, old, now, state))
                .toList();
        if (!refused.isEmpty()) {
            throw new ConfigurationException(
                    "resume",
                    "step " + state.step(),
                    "the steps of this checkpoint were taken with other values: " + String.join("; ", refused)
                            + "; set them back, or give the changed run a directory of its own (--set output=…) and name"
                            + " this checkpoint with --resume");
        }
        return changes;
    }

    /** The fields that differ, {@code field: old -> new} each. */
    static List<String> between(Recipe old, Recipe now) {
        Map<String, String> before = new TreeMap<>();
        Map<String, String> after = new TreeMap<>();
        flatten("", old.toTree(), before);
        flatten("", now.toTree(), after);
        TreeSet<String> fields = new TreeSet<>(before.keySet());
        fields.addAll(after.keySet());
        List<String> changes = new ArrayList<>();
        for (String field : fields) {
            String was = before.getOrDefault(field, "(none)");
            String is = after.getOrDefault(field, "(none)");
            if (!was.equals(is)) {
                changes.add(field + ": " + was + " -> " + is);
            }
        }
        return changes;
    }

    private static void flatten(String path, JsonNode node, Map<String, String> into) {
        if (!node.isObject()) {
            into.put(path, node.toString());
            return;
        }
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            flatten(path.isEmpty() ? entry.getKey() : path + "." + entry.getKey(), entry.getValue(), into);
        }
    }

    private static boolean isFree(String change, Recipe old, Recipe now, TrainingState state) {
        if (FREE.stream().anyMatch(change::startsWith)) {
            return true;
        }
        if (change.startsWith("schedule.") || change.startsWith("steps:")) {
            return samePast(
                    LrSchedule.of(old.schedule(), old.steps()), LrSchedule.of(now.schedule(), now.steps()), state);
        }
        if (change.startsWith("batch.")) {
            return samePast(old, now, state);
        }
        // Shards may move; that they hold the same tokens is looked at where they are opened.
        return change.startsWith("data.sources:") && shares(old).equals(shares(now));
    }

    private static boolean samePast(LrSchedule old, LrSchedule now, TrainingState state) {
        for (long step = 1; step <= state.step(); step++) {
            if (Double.compare(old.lr(step), now.lr(step)) != 0) {
                return false;
            }
        }
        return true;
    }

    private static boolean samePast(Recipe old, Recipe now, TrainingState state) {
        boolean same = old.longestSequence() == now.longestSequence()
                && old.shortestSequence() == now.shortestSequence()
                && old.stageAfter(0).equals(now.stageAfter(0));
        for (Recipe recipe : List.of(old, now)) {
            for (Recipe.Ramp ramp : recipe.batch().ramp()) {
                same &= ramp.afterTokens() >= state.tokens()
                        || old.stageAfter(ramp.afterTokens()).equals(now.stageAfter(ramp.afterTokens()));
            }
        }
        return same;
    }

    private static List<String> shares(Recipe recipe) {
        return recipe.data().sources().stream()
                .map(source -> source.name() + " " + source.shards().size() + " " + source.weight())
                .toList();
    }
}
