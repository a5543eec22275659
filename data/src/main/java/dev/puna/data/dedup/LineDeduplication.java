package dev.puna.data.dedup;

import dev.puna.data.Document;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Removes lines that occur often in the corpus, as cc_net does for LLaMA-1 (twice or more, the first occurrence
 * included) or as Llama-3 does (more than six times in 30 million documents): then repeats within a document, then
 * documents of which nothing is left.
 */
public final class LineDeduplication implements KeyedDeduplication {
    private final ThreadLocal<LineHash> hash = ThreadLocal.withInitial(LineHash::new);
    private final int atLeast;
    private final Path folder;
    private final long memoryBytes;
    private @Nullable HashCounts counts; // made when the first document comes
    private HashCounts.@Nullable Frequent frequent;

    /**
     * @param atLeast lines with this many occurrences go: 2 for cc_net, 7 for Llama-3
     * @param folder for temporary files
     * @param memoryBytes for the table of hashes
     */
    public LineDeduplication(int atLeast, Path folder, long memoryBytes) {
        this.atLeast = atLeast;
        this.folder = folder;
        this.memoryBytes = memoryBytes;
    }

    private synchronized HashCounts counts() throws IOException {
        HashCounts made = counts;
        if (made == null) {
            made = new HashCounts(folder, memoryBytes);
            counts = made;
        }
        return made;
    }

    @Override
    public String name() {
        return "line-dedup";
    }

    /** Runs that had to be written to disk. */
    public int runs() throws IOException {
        return counts().runs();
    }

    @Override
    public Rule rule() {
        return new Rule.Frequent(atLeast);
    }

    @Override
    public void keys(Document document, KeySink sink) {
        LineHash hasher = hash.get();
        String text = document.text();
        for (int at = 0; at < text.length(); ) {
            int end = text.indexOf('\n', at);
            end = end < 0 ? text.length() : end;
            sink.key(0, hasher.of(text.substring(at, end)));
            at = end + 1;
        }
    }

    @Override
    public void look(Document document, long ordinal) throws IOException {
        LongBuffer hashes = new LongBuffer();
        keys(document, (high, low) -> hashes.add(low));
        counts().add(hashes.values, hashes.size);
    }

    private static final class LongBuffer {
        private long[] values = new long[64];
        private int size;

        void add(long value) {
            if (size == values.length) {
                values = Arrays.copyOf(values, 2 * size);
            }
            values[size++] = value;
        }
    }

    @Override
    public void decide(Path state) throws IOException {
        counts().frequent(atLeast, state);
        decided(state);
    }

    @Override
    public void write(Iterator<long[]> facts, Path state) throws IOException {
        HashCounts.Frequent.write(facts, state);
    }

    @Override
    public void decided(Path state) throws IOException {
        frequent = new HashCounts.Frequent(state);
    }

    @Override
    public DocumentFilter filter(long ordinal) {
        return new DocumentFilter() {
            @Override
            public String name() {
                return LineDeduplication.this.name();
            }

            @Override
            public Verdict apply(Document document) {
                return remove(document);
            }
        };
    }

    private Verdict remove(Document document) {
        HashCounts.Frequent known = frequent;
        if (known == null) {
            throw new IllegalStateException("decide() comes before filter()");
        }
        LineHash hasher = hash.get();
        Set<Long> own = new HashSet<>();
        StringBuilder out = new StringBuilder(document.text().length());
        String text = document.text();
        int lines = 0;
        for (int at = 0; at < text.length(); ) {
            int end = text.indexOf('\n', at);
            end = end < 0 ? text.length() : end;
            long h = hasher.of(text.substring(at, end));
            lines++;
            if (!known.contains(h) && own.add(h)) {
                if (!out.isEmpty()) {
                    out.append('\n');
                }
                out.append(text, at, end);
            }
            at = end + 1;
        }
        if (out.toString().isBlank()) {
            return new Verdict.Drop("no line of its own", lines + " lines");
        }
        return new Verdict.Keep(out.length() == text.length() ? document : document.withText(out.toString()));
    }

    @Override
    public synchronized void close() throws IOException {
        if (counts != null) {
            counts.close();
        }
        if (frequent != null) {
            frequent.close();
        }
    }
}
