package dev.puna.inference;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A context-free grammar as a constraint on tokens. It is read in llama.cpp's notation (GBNF):
 *
 * <pre>{@code
 * root   ::= "[" (number ("," number)*)? "]"   # alternatives: a | b, repetition: * + ? {2} {2,} {2,5}
 * number ::= "-"? [0-9]+                       # classes: [a-zé], [^"\\], any character: .
 * }</pre>
 *
 * <p>The grammar becomes a pushdown automaton over the bytes of UTF-8. Its states (sets of stacks, each a persistent list
 * whose nodes exist once) are made as they are met; so is, for each state, the mask of the tokens that may follow: a walk
 * of automaton and vocabulary together, the vocabulary as a trie of its tokens' bytes in the order of the walk (Willard and
 * Louf 2023; Dong et al. 2024). A state that was met before costs a look into a table. One grammar may serve many
 * answers at once.
 */
public final class Grammar implements TokenConstraint {
    /** Nodes of stacks that are remembered; when there are more, everything met so far is forgotten. */
    private static final int NODE_LIMIT = 50_000;

    /** What the masks of one grammar may take; the same then. With 128,256 tokens they are 512. */
    private static final int MASK_BYTES = 8 << 20;

    private final Tokenizer tokenizer;
    private final VocabularyTrie trie;
    private final long[] ends;
    private final int wordCount;
    private final Rules rules;
    private final Map<Node, Node> nodes = new HashMap<>();
    private final Map<List<Integer>, Place> places = new HashMap<>();
    /** No stack, and no answer ends here. */
    private final Place nowhere = new Place(List.of(), false);

    private int masks;
    private int nextNumber;

    private Grammar(Rules rules, Tokenizer tokenizer, int vocabularySize) {
        this.rules = rules;
        this.tokenizer = tokenizer;
        this.wordCount = (vocabularySize + 63) / 64;
        this.trie = VocabularyTrie.of(tokenizer, vocabularySize);
        this.ends = new long[wordCount];
        for (int id = 0; id < Math.min(vocabularySize, tokenizer.vocabularySize()); id++) {
            if (tokenizer.specialTokens().endsGeneration(id)) {
                ends[id / 64] |= 1L << id;
            }
        }
    }

    /**
     * Compiles a grammar whose rule {@code root} is the answer.
     *
     * @param vocabularySize V of the model
     * @throws ConfigurationException if the grammar is malformed, names a rule that it does not have, or is
     *     left-recursive
     */
    public static Grammar compile(String gbnf, Tokenizer tokenizer, int vocabularySize) {
        return new Grammar(new GrammarParser(gbnf).parse(), tokenizer, vocabularySize);
    }

    /** Whether the grammar derives exactly this text. */
    public boolean matches(String text) {
        synchronized (this) {
            Place place = startPlace();
            for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
                place = follow(place, b & 0xFF);
            }
            return place.accepting;
        }
    }

    /** Whether some text of the grammar may begin with these bytes; for tests. */
    boolean begins(byte[] bytes) {
        synchronized (this) {
            Place place = startPlace();
            for (byte b : bytes) {
                place = follow(place, b & 0xFF);
            }
            return place.accepting || !place.stacks.isEmpty();
        }
    }

    @Override
    public State start() {
        synchronized (this) {
            return new Answer(startPlace());
        }
    }

    /**
     * Rules as one sequence of symbols: {@code END}, a byte class or a reference.
     *
     * @param classes byte classes, 4 words of 64 bits each
     * @param symbols {@code END}, class number c as {@code 2c}, rule r as {@code 2r + 1}
     * @param alternatives where the alternatives of each rule begin
     */
    record Rules(List<long[]> classes, int[] symbols, int[][] alternatives, int root) {
        static final int END = -1;

        boolean isClass(int symbol) {
            return (symbol & 1) == 0;
        }
    }

    /** A stack: what comes next, and what comes after it. */
    private static final class Node {
        final int position;
        final @Nullable Node below;
        final int number;

        Node(int position, @Nullable Node below, int number) {
            this.position = position;
            this.below = below;
            this.number = number;
        }

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Node node && position == node.position && below == node.below;
        }

        @Override
        public int hashCode() {
            return 31 * position + (below == null ? 0 : below.number + 1);
        }
    }

    /** A state of the automaton: the stacks it may be in. */
    private static final class Place {
        final List<Node> stacks;
        final boolean accepting;
        final @Nullable Place[] next = new Place[256];
        /** Where sets of its stacks lead, a bit for each; bytes that the same stacks take lead to the same place. */
        long[] taken = new long[4];

        @Nullable
        Place[] after = new Place[4];

        int afterCount;
        long @Nullable [] mask;

        Place(List<Node> stacks, boolean accepting) {
            this.stacks = stacks;
            this.accepting = accepting;
        }

        /** Whether nothing leads on from here. */
        boolean isEnd() {
            return stacks.isEmpty();
        }

        @Nullable
        Place after(long stacksTaken) {
            for (int i = 0; i < afterCount; i++) {
                if (taken[i] == stacksTaken) {
                    return after[i];
                }
            }
            return null;
        }

        void leads(long stacksTaken, Place place) {
            if (afterCount == taken.length) {
                taken = Arrays.copyOf(taken, 2 * afterCount);
                after = Arrays.copyOf(after, 2 * afterCount);
            }
            taken[afterCount] = stacksTaken;
            after[afterCount++] = place;
        }
    }

    private static final class Closure {
        final TreeSet<Integer> numbers = new TreeSet<>();
        final Map<Integer, Node> stacks = new LinkedHashMap<>();
        final TreeSet<Integer> visited = new TreeSet<>();
        final ArrayDeque<Node> due = new ArrayDeque<>();
        boolean accepting;
    }

    private Node node(int position, @Nullable Node below) {
        Node wanted = new Node(position, below, nextNumber++);
        Node known = nodes.putIfAbsent(wanted, wanted);
        return known == null ? wanted : known;
    }

    private Place startPlace() {
        Closure closure = new Closure();
        for (int alternative : rules.alternatives()[rules.root()]) {
            expand(alternative, null, closure);
        }
        return place(closure);
    }

    /**
     * Follows references and ends until a byte is due. What is to be followed waits in a list: an answer may nest deeper
     * than a thread's stack.
     */
    private void expand(int from, @Nullable Node under, Closure closure) {
        int[] symbols = rules.symbols();
        ArrayDeque<Node> due = closure.due;
        due.push(new Node(from, under, 0));
        while (!due.isEmpty()) {
            Node next = due.pop();
            int position = next.position;
            Node below = next.below;
            while (symbols[position] == Rules.END && below != null) {
                position = below.position;
                below = below.below;
            }
            int symbol = symbols[position];
            if (symbol == Rules.END) {
                closure.accepting = true;
                continue;
            }
            Node here = node(position, below);
            if (!closure.visited.add(here.number)) {
                continue;
            }
            if (rules.isClass(symbol)) {
                closure.numbers.add(here.number);
                closure.stacks.put(here.number, here);
                continue;
            }
            // The last reference of an alternative leaves nothing to come back to.
            Node after = symbols[position + 1] == Rules.END ? below : node(position + 1, below);
            for (int alternative : rules.alternatives()[symbol >> 1]) {
                due.push(new Node(alternative, after, 0));
            }
        }
    }

    private Place place(Closure closure) {
        List<Integer> key = new ArrayList<>(closure.numbers);
        key.add(closure.accepting ? -1 : -2);
        return places.computeIfAbsent(key, k -> {
            List<Node> stacks = new ArrayList<>();
            for (int number : closure.numbers) {
                Node stack = closure.stacks.get(number);
                if (stack != null) {
                    stacks.add(stack);
                }
            }
            return new Place(stacks, closure.accepting);
        });
    }

    private Place follow(Place place, int b) {
        Place known = place.next[b];
        if (known != null) {
            return known;
        }
        Place next = place.stacks.size() > Long.SIZE ? step(place, b) : stepOfTaken(place, b);
        place.next[b] = next;
        return next;
    }

    private Place stepOfTaken(Place place, int b) {
        long taken = 0;
        for (int i = 0; i < place.stacks.size(); i++) {
            taken |= takes(place.stacks.get(i), b) ? 1L << i : 0;
        }
        if (taken == 0) {
            return nowhere;
        }
        Place known = place.after(taken);
        if (known == null) {
            known = step(place, b);
            place.leads(taken, known);
        }
        return known;
    }

    private boolean takes(Node stack, int b) {
        long[] bytes = rules.classes().get(rules.symbols()[stack.position] >> 1);
        return (bytes[b >> 6] >>> b & 1) != 0;
    }

    /** Where the stacks that take a byte lead. */
    private Place step(Place place, int b) {
        Closure closure = new Closure();
        for (Node stack : place.stacks) {
            if (takes(stack, b)) {
                expand(stack.position + 1, stack.below, closure);
            }
        }
        return place(closure);
    }

    private long[] mask(Place place) {
        long[] known = place.mask;
        if (known != null) {
            return known;
        }
        if (nodes.size() > NODE_LIMIT || (long) masks * wordCount * Long.BYTES > MASK_BYTES) {
            nodes.clear(); // places in use keep their own; numbers are never given twice
            places.clear();
            masks = 0;
        }
        long[] mask = new long[wordCount];
        walk(place, mask);
        if (place.accepting) {
            for (int i = 0; i < wordCount; i++) {
                mask[i] |= ends[i];
            }
        }
        if (Arrays.stream(mask).allMatch(word -> word == 0)) {
            throw new IllegalStateException(
                    place.accepting
                            ? "the answer is complete, and the vocabulary has no token to end it with"
                            : "the grammar has come to a dead end: no token of the vocabulary continues this answer");
        }
        place.mask = mask;
        masks++;
        return mask;
    }

    private void walk(Place place, long[] mask) {
        Place[] path = new Place[trie.deepest() + 1]; // where the bytes on the way to a node lead
        path[0] = place;
        int node = 0;
        while (node < trie.size()) {
            int depth = trie.depth(node);
            Place next = follow(path[depth - 1], trie.byteOf(node));
            if (next.isEnd() && !next.accepting) {
                node = trie.after(node);
                continue;
            }
            for (int i = trie.firstId(node); i < trie.firstId(node + 1); i++) {
                int id = trie.id(i);
                mask[id / 64] |= 1L << id;
            }
            path[depth] = next;
            node = next.isEnd() ? trie.after(node) : node + 1;
        }
    }

    private final class Answer implements State {
        private Place place;

        Answer(Place place) {
            this.place = place;
        }

        @Override
        public long[] allowed() {
            synchronized (Grammar.this) {
                return mask(place);
            }
        }

        @Override
        public void accept(int id) {
            if (id >= tokenizer.vocabularySize() || (ends[id / 64] >>> id & 1) != 0) {
                return; // no text
            }
            synchronized (Grammar.this) {
                for (byte b : tokenizer.bytes(id)) {
                    place = follow(place, b & 0xFF);
                }
            }
        }
    }
}
