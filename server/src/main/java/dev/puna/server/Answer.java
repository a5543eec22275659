package dev.puna.server;

import dev.puna.inference.Tool;
import dev.puna.inference.ToolCall;
import dev.puna.inference.ToolCalling;
import java.util.List;

/** One answer as it comes: what is certainly text leaves at once, what may become a call is held until the end. */
final class Answer {
    private final List<Tool> tools;
    private final boolean parallel;
    private final StringBuilder held = new StringBuilder();
    private boolean isText;

    Answer(Chat chat) {
        this.tools = chat.callable();
        this.parallel = chat.parallel();
        this.isText = tools.isEmpty();
    }

    /**
     * How an answer ends.
     *
     * @param text what was held and is no call
     * @param calls what it asks for
     */
    record End(String text, List<ToolCall> calls) {}

    /** A whole answer. */
    static End whole(Chat chat, String text) {
        Answer answer = new Answer(chat);
        String first = answer.accept(text);
        End end = answer.end();
        return new End(first + end.text, end.calls);
    }

    /** The text that can be shown after another piece. */
    String accept(String piece) {
        if (isText) {
            return piece;
        }
        held.append(piece);
        if (ToolCalling.mayBegin(held.toString())) {
            return "";
        }
        isText = true;
        return release();
    }

    End end() {
        List<ToolCall> calls = isText ? List.of() : ToolCalling.parse(held.toString(), tools);
        if (calls.isEmpty()) {
            return new End(release(), List.of());
        }
        return new End("", parallel ? calls : calls.subList(0, 1));
    }

    private String release() {
        String text = held.toString();
        held.setLength(0);
        return text;
    }
}
