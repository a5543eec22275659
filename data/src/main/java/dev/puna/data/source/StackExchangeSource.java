package dev.puna.data.source;

import dev.puna.data.Compression;
import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.ExternalSort;
import dev.puna.data.LineReader;
import dev.puna.data.ReadReport;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.commons.compress.archivers.sevenz.SevenZArchiveEntry;
import org.apache.commons.compress.archivers.sevenz.SevenZFile;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.TextNode;
import org.jsoup.parser.Parser;
import org.jspecify.annotations.Nullable;

/**
 * Questions with their answers from a site of Stack Exchange ({@code site.7z}, or its {@code Posts.xml}): {@code Q:},
 * title and question, then {@code A:} and the answer for each, best score first; markup removed. Posts of one question
 * are brought together by an external sort, so that memory does not grow with the site.
 *
 * @param fidelity {@link Fidelity#COMPAT} does as RedPajama: scores are sorted as text ({@code "9"} before {@code "10"}), and
 *     the title stands in front of the question's markup
 * @param scratch folder for what the sort cannot hold in memory
 * @param sortBytes memory for the sort
 */
public record StackExchangeSource(Fidelity fidelity, Path scratch, long sortBytes) implements DocumentSource {
    private static final int MAX_ROW_BYTES = 16 << 20;

    /** With 256 MiB to sort in, and the system's folder for temporary files beyond that. */
    public StackExchangeSource(Fidelity fidelity) {
        this(fidelity, Path.of(System.getProperty("java.io.tmpdir")), 256L << 20);
    }

    @Override
    public StackExchangeSource within(Path folder, long memoryBytes) {
        return new StackExchangeSource(fidelity, folder, memoryBytes);
    }

    @Override
    public String name() {
        return "stackexchange";
    }

    /** The {@code count} sites with the largest {@code Posts.xml}, largest first; of equal ones the first by name. */
    public static List<Path> largest(List<Path> sites, int count) throws IOException {
        Map<Path, Long> bytes = new HashMap<>();
        for (Path site : sites) {
            bytes.put(site, postsBytes(site));
        }
        return sites.stream()
                .sorted(Comparator.comparingLong((Path p) -> -bytes.getOrDefault(p, 0L))
                        .thenComparing(Path::toString))
                .limit(count)
                .toList();
    }

    /** Of the posts of a site, decompressed; 0 of an archive that is broken, which reading it says. */
    private static long postsBytes(Path site) throws IOException {
        if (!isArchive(site)) {
            return Files.size(site);
        }
        try (SevenZFile archive = open(site)) {
            for (SevenZArchiveEntry entry : archive.getEntries()) {
                if (entry.getName().equals("Posts.xml")) {
                    return entry.getSize();
                }
            }
            return 0;
        } catch (IOException | RuntimeException e) {
            return 0;
        }
    }

    private static boolean isArchive(Path site) {
        return site.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".7z");
    }

    private static SevenZFile open(Path site) throws IOException {
        return SevenZFile.builder()
                .setFile(site.toFile())
                .setMaxMemoryLimitKiB(512 << 10)
                .get();
    }

    @FunctionalInterface
    private interface Posts {
        void read(LineReader lines) throws IOException;
    }

    private static void posts(Path path, ReadReport report, Posts posts) throws IOException {
        if (isArchive(path)) {
            try (SevenZFile archive = open(path)) {
                for (SevenZArchiveEntry entry : archive.getEntries()) {
                    if (entry.getName().equals("Posts.xml")) {
                        try (InputStream in = archive.getInputStream(entry)) {
                            report.addBytes(Files.size(path));
                            posts.read(new LineReader(in, MAX_ROW_BYTES));
                        }
                        return;
                    }
                }
                throw new CorruptFileException(path, 0, "a member Posts.xml", "none");
            } catch (CorruptFileException | ExternalSort.SortException e) {
                throw e;
            } catch (IOException | RuntimeException e) {
                throw new CorruptFileException(path, 0, "a 7z archive", String.valueOf(e.getMessage()));
            }
        }
        try (InputStream in = Compression.open(path, report)) {
            posts.read(new LineReader(in, MAX_ROW_BYTES));
        }
    }

    private static boolean isRow(LineReader lines) {
        byte[] b = lines.bytes();
        int end = lines.start() + lines.length();
        for (int i = lines.start(); i + 4 < end; i++) {
            if (b[i] == '<') {
                return b[i + 1] == 'r' && b[i + 2] == 'o' && b[i + 3] == 'w';
            }
            if (b[i] > ' ') {
                return false;
            }
        }
        return false;
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        Path path = split.path();
        String file = path.getFileName().toString();
        String site = file.endsWith(".7z") ? file.substring(0, file.length() - 3) : siteOfFolder(path);
        try (ExternalSort sort = new ExternalSort(scratch, sortBytes)) {
            posts(path, report, lines -> collect(path, lines, sort, report));
            Group group = new Group(site, sink, report);
            sort.forEach(group::post);
            group.finish();
        }
    }

    private static String siteOfFolder(Path path) {
        Path folder = path.toAbsolutePath().getParent();
        return folder == null || folder.getFileName() == null
                ? "site"
                : folder.getFileName().toString();
    }

    /** Puts every question and answer into the sort, by the question's id. */
    private void collect(Path path, LineReader lines, ExternalSort sort, ReadReport report) throws IOException {
        while (lines.next()) {
            if (lines.tooLong()) {
                report.broken(path, lines.offset(), "a row of more than " + (MAX_ROW_BYTES >> 20) + " MiB");
                continue;
            }
            if (!isRow(lines)) {
                continue;
            }
            String row = lines.string();
            String type = attribute(row, "PostTypeId");
            String id = attribute(row, "Id");
            String body = attribute(row, "Body");
            if (type == null || id == null || body == null) {
                report.broken(path, lines.offset(), "a row without Id, PostTypeId or Body");
                continue;
            }
            try {
                String score = attribute(row, "Score");
                long number = Long.parseLong(id);
                switch (type) {
                    case "1" -> {
                        String title = attribute(row, "Title");
                        String date = attribute(row, "CreationDate");
                        sort.add(
                                number,
                                post(
                                        0,
                                        number,
                                        score,
                                        title == null ? "" : WikipediaSource.unescape(title, 0, title.length()),
                                        date == null ? "" : date,
                                        body));
                    }
                    case "2" -> {
                        String parent = attribute(row, "ParentId");
                        if (parent == null) {
                            report.broken(path, lines.offset(), "an answer without ParentId");
                        } else {
                            sort.add(Long.parseLong(parent), post(1, number, score, "", "", body));
                        }
                    }
                    default -> report.skip("neither question nor answer");
                }
            } catch (NumberFormatException e) {
                report.broken(path, lines.offset(), "a number that is none: " + e.getMessage());
            }
        }
    }

    private byte[] post(int kind, long id, @Nullable String score, String title, String date, String body) {
        byte[] scoreBytes = (score == null ? "0" : score).getBytes(StandardCharsets.UTF_8);
        byte[] titleBytes = title.getBytes(StandardCharsets.UTF_8);
        byte[] dateBytes = date.getBytes(StandardCharsets.UTF_8);
        String html = WikipediaSource.unescape(body, 0, body.length());
        byte[] text = (fidelity == Fidelity.PAPER ? text(html) : html).getBytes(StandardCharsets.UTF_8);
        ByteBuffer out = ByteBuffer.allocate(
                1 + 8 + 4 * 4 + scoreBytes.length + titleBytes.length + dateBytes.length + text.length);
        out.put((byte) kind).putLong(id);
        for (byte[] part : new byte[][] {scoreBytes, titleBytes, dateBytes, text}) {
            out.putInt(part.length).put(part);
        }
        return out.array();
    }

    /**
     * A post as it comes back from the sort.
     *
     * @param text the body, and in {@link Fidelity#COMPAT} its markup
     */
    record Post(int kind, long id, String score, String title, String date, String text) {
        static Post of(byte[] bytes) {
            ByteBuffer in = ByteBuffer.wrap(bytes);
            int kind = in.get();
            long id = in.getLong();
            String[] parts = new String[4];
            for (int i = 0; i < parts.length; i++) {
                byte[] part = new byte[in.getInt()];
                in.get(part);
                parts[i] = new String(part, StandardCharsets.UTF_8);
            }
            return new Post(kind, id, parts[0], parts[1], parts[2], parts[3]);
        }

        long number() {
            try {
                return Long.parseLong(score);
            } catch (NumberFormatException e) {
                return 0;
            }
        }
    }

    /** The posts of one question, one question after the other. */
    private final class Group {
        private final String site;
        private final DocumentSink sink;
        private final ReadReport report;
        private long key = Long.MIN_VALUE;
        private final List<Post> posts = new ArrayList<>();

        Group(String site, DocumentSink sink, ReadReport report) {
            this.site = site;
            this.sink = sink;
            this.report = report;
        }

        void post(long question, byte[] bytes) throws IOException {
            if (question != key) {
                finish();
                key = question;
            }
            posts.add(Post.of(bytes));
        }

        void finish() throws IOException {
            if (posts.isEmpty()) {
                return;
            }
            Post question = null;
            List<Post> answers = new ArrayList<>();
            for (Post post : posts) {
                if (post.kind() == 0) {
                    question = post;
                } else {
                    answers.add(post);
                }
            }
            posts.clear();
            if (question == null) {
                report.skip("answers without their question", answers.size());
                return;
            }
            String text = switch (fidelity) {
                case PAPER -> conversation(question, answers);
                case COMPAT -> conversationAsRedPajama(question, answers);
            };
            Map<String, Object> meta = new LinkedHashMap<>();
            meta.put("url", "https://" + site + "/questions/" + question.id());
            meta.put("timestamp", question.date());
            meta.put("answers", answers.size());
            meta.put("question_score", question.number());
            Document document = new Document(site + ":" + question.id(), text, name(), meta);
            report.addDocument(document);
            sink.accept(document);
        }
    }

    private static String conversation(Post question, List<Post> answers) {
        answers.sort(Comparator.comparingLong(Post::number).reversed().thenComparingLong(Post::id));
        StringBuilder text = new StringBuilder("Q: ");
        if (!question.title().isEmpty()) {
            text.append(question.title()).append('\n');
        }
        text.append(question.text());
        for (Post answer : answers) {
            text.append("\n\nA: ").append(answer.text());
        }
        return text.toString();
    }

    /** As RedPajama's {@code post_processing.py}: scores compare as text, the title is markup, no white space goes. */
    static String conversationAsRedPajama(Post question, List<Post> answers) {
        answers.sort(Comparator.comparing(Post::score).reversed().thenComparingLong(Post::id));
        StringBuilder text = new StringBuilder("Q: ").append(textAsRedPajama(question.title() + " " + question.text()));
        for (Post answer : answers) {
            text.append("\nA: ").append(textAsRedPajama(answer.text()));
        }
        return text.toString();
    }

    /**
     * The text between tags, as Beautiful Soup has it: as it stands, but for white space alone, outside of {@code pre}:
     * a line feed when it has one, or else a space.
     */
    private static String textAsRedPajama(String html) {
        String marked = html.replace("<li>", "\n*")
                .replace("</li>", "")
                .replace("<ol>", "\n*")
                .replace("</ol>", "");
        StringBuilder text = new StringBuilder();
        Jsoup.parse(marked, "", Parser.xmlParser()).traverse((node, depth) -> {
            if (node instanceof TextNode part) {
                String whole = part.getWholeText();
                boolean collapses = whole.chars().allMatch(c -> c == ' ' || (c >= '\t' && c <= '\r' && c != 0x0b))
                        && !(node.parent() instanceof Element parent && parent.closest("pre, textarea") != null);
                text.append(!collapses ? whole : whole.indexOf('\n') >= 0 ? "\n" : " ");
            }
        });
        return text.toString();
    }

    /** The raw value of an attribute of the row, or null. */
    static @Nullable String attribute(String row, String name) {
        String start = name + "=\"";
        int at = row.indexOf(start);
        while (at > 0 && row.charAt(at - 1) > ' ') {
            at = row.indexOf(start, at + 1);
        }
        if (at < 0) {
            return null;
        }
        int from = at + start.length();
        int to = row.indexOf('"', from);
        return to < 0 ? null : row.substring(from, to);
    }

    /**
     * Markup to text: list items and ordered lists begin a line with an asterisk, all other tags go, entities become
     * characters, white space at the ends and more than one empty line go.
     */
    static String text(String html) {
        StringBuilder out = new StringBuilder(html.length());
        int n = html.length();
        int i = 0;
        int emptyLines = 0;
        while (i < n) {
            char c = html.charAt(i);
            if (c == '<') {
                int end = html.indexOf('>', i);
                if (end > 0 && i + 1 < n && isTagStart(html.charAt(i + 1))) {
                    if (html.startsWith("<li", i) || html.startsWith("<ol", i)) {
                        trimLineEnd(out);
                        if (!out.isEmpty()) {
                            out.append('\n');
                        }
                        if (html.startsWith("<li", i)) {
                            out.append("* ");
                        }
                    } else if (html.startsWith("<br", i)) {
                        out.append('\n');
                    }
                    i = end + 1;
                    continue;
                }
                if (end < 0) {
                    out.append(html, i, n);
                    break;
                }
                out.append(c);
                i++;
            } else if (c == '&') {
                int end = i + 1;
                while (end < n && end < i + 12 && html.charAt(end) != ';') {
                    end++;
                }
                if (end < n && html.charAt(end) == ';') {
                    String entity = html.substring(i, end + 1);
                    out.append(
                            switch (entity) {
                                case "&lt;" -> "<";
                                case "&gt;" -> ">";
                                case "&amp;" -> "&";
                                case "&quot;" -> "\"";
                                case "&nbsp;" -> " ";
                                default -> Parser.unescapeEntities(entity, false);
                            });
                    i = end + 1;
                } else {
                    out.append(c);
                    i++;
                }
            } else {
                if (c == '\n') {
                    int length = out.length();
                    boolean afterItem = length >= 2 && out.charAt(length - 1) == ' ' && out.charAt(length - 2) == '*';
                    emptyLines = length > 0 && out.charAt(length - 1) == '\n' ? emptyLines + 1 : 0;
                    if (emptyLines < 2 && !afterItem && length > 0) {
                        out.append(c);
                    }
                } else {
                    out.append(c);
                }
                i++;
            }
        }
        int end = out.length();
        while (end > 0 && Character.isWhitespace(out.charAt(end - 1))) {
            end--;
        }
        out.setLength(end);
        return out.toString();
    }

    private static boolean isTagStart(char c) {
        return c == '/' || c == '!' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    private static void trimLineEnd(StringBuilder out) {
        int end = out.length();
        while (end > 0 && (out.charAt(end - 1) == ' ' || out.charAt(end - 1) == '\n')) {
            end--;
        }
        out.setLength(end);
    }
}
