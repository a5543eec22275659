package dev.puna.data.source;

import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.PythonText;
import dev.puna.data.ReadReport;
import dev.puna.data.RecordReader;
import dev.puna.data.dedup.DigestSet;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/**
 * Programs: BigQuery's export as JSON lines or Parquet ({@code content, path, repo_name, license}), a folder, or a jar or zip of
 * sources. A file is kept when its licence is accepted, its name has a known suffix, it is well-formed UTF-8, none of
 * its lines is longer than 1,000 characters, its lines have at most 100 on average, and at least a quarter of its
 * characters are letters or digits. Its licence header is removed, and of files with the same content the first of a
 * split stays.
 *
 * <p>Beside what the paper says there is RedPajama's rule of at least 1.5 letters for each token; it needs a tokenizer
 * (theirs is GPT-NeoX's). In {@link Fidelity#COMPAT} the header is removed as they do it: all leading lines that begin
 * with {@code //}, {@code #} or {@code --} go when there is no block comment, includes and shebangs with them. In
 * {@link Fidelity#PAPER} only comments that speak of a licence go. Their numbers are Python's: characters are code points,
 * lines end in more ways, digits are of more kinds; and a file of a name that is not wanted still makes later ones of the
 * same content duplicates.
 *
 * @param rules what is kept
 * @param fidelity whose way of removing headers and of counting
 */
public record GitHubSource(Rules rules, Fidelity fidelity) implements DocumentSource {
    /**
     * What is kept.
     *
     * @param licences accepted licences
     * @param anySuffix true to take files of any name
     * @param maxLineLength longest line, characters
     * @param maxAverageLineLength characters for each line
     * @param minAlphanumericShare letters and digits among all characters
     * @param minLettersPerToken used when {@code tokenCount} is there
     * @param maxFileBytes larger files are skipped before they are decompressed
     * @param tokenCount counts tokens, or null to leave that rule out
     */
    public record Rules(
            Licences licences,
            boolean anySuffix,
            int maxLineLength,
            double maxAverageLineLength,
            double minAlphanumericShare,
            double minLettersPerToken,
            int maxFileBytes,
            @Nullable ToLongFunction<String> tokenCount) {
        /** RedPajama's numbers, without the rule that needs a tokenizer. */
        public static Rules standard(Licences licences) {
            return new Rules(licences, false, 1000, 100, 0.25, 1.5, 8 << 20, null);
        }

        /** The same rules with a tokenizer for the rule of letters for each token. */
        public Rules withTokenCount(ToLongFunction<String> counter) {
            return new Rules(
                    licences,
                    anySuffix,
                    maxLineLength,
                    maxAverageLineLength,
                    minAlphanumericShare,
                    minLettersPerToken,
                    maxFileBytes,
                    counter);
        }
    }

    /** The 66 endings that RedPajama takes. */
    private static final Set<String> SUFFIXES = Set.of("""
                    .asm .bat .cmd .c .h .cs .cpp .hpp .c++ .h++ .cc .hh .C .H .cmake .css .dockerfile .f90 .f .f03 .f08 \
                    .f77 .f95 .for .fpp .go .hs .html .java .js .jl .lua .md .markdown .php .php3 .php4 .php5 .phps .phpt \
                    .pl .pm .pod .perl .ps1 .psd1 .psm1 .py .rb .rs .sql .scala .sh .bash .command .zsh .ts .tsx .tex .vb \
                    .xml .rst .m .smali""".split(" "));

    /** One byte of text for one of the archive, at most, over a whole archive that is not small. */
    private static final int ARCHIVE_RATIO = 200;

    private static final long ARCHIVE_SPLIT_BYTES = 4 << 20;

    public GitHubSource {
        if (rules.maxFileBytes() < 1) {
            throw new dev.puna.tensor.ConfigurationException("maxFileBytes", rules.maxFileBytes(), "use at least 1");
        }
    }

    /** The paper's rules for files under Apache, BSD or MIT licences. */
    public static GitHubSource paper() {
        return new GitHubSource(Rules.standard(Licences.permissive()), Fidelity.PAPER);
    }

    @Override
    public String name() {
        return "github";
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        Path path = split.path();
        Reading reading = new Reading(sink, report);
        if (Files.isDirectory(path)) {
            readFolder(path, reading);
        } else if (isArchive(path)) {
            readArchive(split, reading);
        } else {
            readExport(split, reading);
        }
    }

    /** Of Parquet, the row groups; of an archive, members in the order of their names, of about four megabytes compressed together. */
    @Override
    public List<Split> splits(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            return List.of(Split.whole(path));
        }
        if (!isArchive(path)) {
            return JsonlSource.recordSplits(path);
        }
        List<Split> splits = new ArrayList<>();
        try (ZipFile zip = open(path)) {
            long from = 0;
            long at = 0;
            for (ZipEntry entry : members(zip)) {
                at += Math.max(0, entry.getCompressedSize());
                if (at - from >= ARCHIVE_SPLIT_BYTES) {
                    splits.add(new Split(path, from, at));
                    from = at;
                }
            }
            splits.add(splits.isEmpty() ? Split.whole(path) : new Split(path, from, Long.MAX_VALUE));
        } catch (CorruptFileException e) {
            return List.of(Split.whole(path)); // reading it says what is wrong
        }
        return splits;
    }

    private static List<? extends ZipEntry> members(ZipFile zip) {
        return zip.stream().sorted(Comparator.comparing(ZipEntry::getName)).toList();
    }

    private static ZipFile open(Path path) throws IOException {
        try {
            return new ZipFile(path.toFile());
        } catch (ZipException | IllegalArgumentException e) {
            throw new CorruptFileException(path, 0, "a zip archive", String.valueOf(e.getMessage()));
        }
    }

    private static boolean isArchive(Path path) {
        String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
        return name.endsWith(".zip") || name.endsWith(".jar");
    }

    private void readExport(Split split, Reading reading) throws IOException {
        try (RecordReader reader = RecordReader.open(split.path(), split.from(), split.to(), reading.report)) {
            for (Map<String, Object> fields = reader.nextRecord(); fields != null; fields = reader.nextRecord()) {
                if (!(fields.remove("content") instanceof String content)) {
                    reading.report.skip("no content");
                    continue;
                }
                String file = fields.remove("path") instanceof String p ? p : "";
                String licence = fields.get("license") instanceof String l ? l : null;
                String repository = fields.get("repo_name") instanceof String r ? r : "";
                if (!rules.licences().accepts(licence)) {
                    reading.report.skip("licence");
                    continue;
                }
                if (isNoText(file) || (fidelity == Fidelity.PAPER && !hasKnownSuffix(file))) {
                    reading.report.skip("suffix");
                    continue;
                }
                Object id = fields.remove("id");
                reading.file(
                        id == null ? repository + "/" + file : id.toString(),
                        file,
                        content,
                        content.getBytes(StandardCharsets.UTF_8),
                        fields);
            }
        }
    }

    private void readArchive(Split split, Reading reading) throws IOException {
        Path path = split.path();
        try (ZipFile zip = open(path)) {
            List<? extends ZipEntry> entries = members(zip);
            Map<String, String> licences = new HashMap<>();
            if (!rules.licences().prefixes().isEmpty()) {
                for (ZipEntry entry : entries) {
                    String name = entry.getName();
                    if (!entry.isDirectory() && Licences.isLicenceFile(lastName(name))) {
                        byte[] bytes = member(zip, entry, 1 << 20);
                        String licence =
                                bytes == null ? null : Licences.recognise(new String(bytes, StandardCharsets.UTF_8));
                        licences.put(folder(name), licence == null ? "unknown" : licence);
                    }
                }
            }
            long compressed = Math.max(Files.size(path), 1 << 20);
            long total = 0;
            long at = 0; // where the member begins, were all compressed members joined in this order
            for (ZipEntry entry : entries) {
                String name = entry.getName();
                long begin = at;
                at += Math.max(0, entry.getCompressedSize());
                if (entry.isDirectory() || begin < split.from() || begin >= split.to()) {
                    continue;
                }
                reading.report.addBytes(Math.max(0, entry.getCompressedSize()));
                if (!wantedName(name)) {
                    reading.report.skip("suffix");
                    continue;
                }
                byte @Nullable [] bytes;
                try {
                    bytes = member(zip, entry, rules.maxFileBytes());
                } catch (ZipException | java.io.EOFException e) {
                    reading.report.broken(path, begin, "member " + name + ": " + e.getMessage());
                    continue;
                }
                if (bytes == null) {
                    reading.report.skip("file too large");
                    continue;
                }
                total += bytes.length;
                if (total / ARCHIVE_RATIO > compressed) {
                    throw new CorruptFileException(
                            path,
                            0,
                            "an archive of text",
                            total + " bytes from " + compressed + " (a decompression bomb)");
                }
                reading.bytes(name, bytes, licenceOf(name, licences));
            }
        } catch (ZipException | IllegalArgumentException e) {
            throw new CorruptFileException(path, 0, "a zip archive", String.valueOf(e.getMessage()));
        }
    }

    /** At most {@code max} bytes of a member; null when it has more. The size in its header is not believed. */
    private static byte @Nullable [] member(ZipFile zip, ZipEntry entry, int max) throws IOException {
        if (entry.getSize() > max) {
            return null;
        }
        try (InputStream in = zip.getInputStream(entry)) {
            if (entry.getSize() >= 0) {
                byte[] bytes = in.readNBytes((int) entry.getSize());
                return in.read() < 0 ? bytes : null;
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] buffer = new byte[1 << 14];
            for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
                out.write(buffer, 0, n);
                if (out.size() > max) {
                    return null;
                }
            }
            return out.toByteArray();
        }
    }

    private void readFolder(Path root, Reading reading) throws IOException {
        Map<String, String> licences = new HashMap<>();
        boolean needsLicence = !rules.licences().prefixes().isEmpty();
        Deque<Path> waiting = new ArrayDeque<>();
        waiting.push(root);
        while (!waiting.isEmpty()) {
            Path next = waiting.pop();
            String name = root.relativize(next).toString().replace('\\', '/');
            if (Files.isDirectory(next, LinkOption.NOFOLLOW_LINKS)) {
                List<Path> children = new ArrayList<>();
                try (Stream<Path> list = Files.list(next)) {
                    list.sorted(Comparator.reverseOrder()).forEach(children::add);
                } catch (IOException | UncheckedIOException e) {
                    reading.report.broken(next, 0, "cannot be listed: " + e.getMessage());
                    continue;
                }
                if (needsLicence) {
                    for (Path child : children) {
                        if (Licences.isLicenceFile(String.valueOf(child.getFileName()))
                                && Files.isRegularFile(child, LinkOption.NOFOLLOW_LINKS)) {
                            try (InputStream in = Files.newInputStream(child)) {
                                String licence =
                                        Licences.recognise(new String(in.readNBytes(1 << 16), StandardCharsets.UTF_8));
                                licences.put(name, licence == null ? "unknown" : licence);
                            }
                        }
                    }
                }
                for (Path child : children) {
                    String last = String.valueOf(child.getFileName());
                    if (!last.equals(".git")) {
                        waiting.push(child);
                    }
                }
            } else if (Files.isRegularFile(next, LinkOption.NOFOLLOW_LINKS)) {
                if (!wantedName(name)) {
                    reading.report.skip("suffix");
                    continue;
                }
                try {
                    long size = Files.size(next);
                    if (size > rules.maxFileBytes()) {
                        reading.report.skip("file too large");
                        continue;
                    }
                    byte[] bytes = Files.readAllBytes(next);
                    reading.report.addBytes(bytes.length);
                    reading.bytes(name, bytes, licenceOf(name, licences));
                } catch (java.nio.file.FileSystemException e) {
                    reading.report.broken(next, 0, "cannot be read: " + e.getMessage());
                }
            }
        }
    }

    private boolean wantedName(String path) {
        return !isNoText(path) && hasKnownSuffix(path);
    }

    private static boolean isNoText(String path) {
        return path.endsWith(".crt") || path.equals("LICENSE");
    }

    private boolean hasKnownSuffix(String path) {
        if (rules.anySuffix()) {
            return true;
        }
        String last = lastName(path);
        int dot = last.lastIndexOf('.');
        return (dot >= 0 && SUFFIXES.contains(last.substring(dot)))
                || last.endsWith("Dockerfile")
                || last.endsWith("Makefile");
    }

    private static String lastName(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    private static String folder(String path) {
        int slash = path.lastIndexOf('/');
        return slash < 0 ? "" : path.substring(0, slash);
    }

    /** The licence of the nearest folder above that has one. */
    private static @Nullable String licenceOf(String path, Map<String, String> licences) {
        if (licences.isEmpty()) {
            return null;
        }
        for (String at = folder(path); ; at = folder(at)) {
            String licence = licences.get(at);
            if (licence != null || at.isEmpty()) {
                return licence;
            }
        }
    }

    /** One split being read. */
    private final class Reading {
        private final DocumentSink sink;
        private final ReadReport report;
        private final DigestSet seen = new DigestSet();
        private final MessageDigest md5;

        Reading(DocumentSink sink, ReadReport report) {
            this.sink = sink;
            this.report = report;
            try {
                this.md5 = MessageDigest.getInstance("MD5");
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException(e);
            }
        }

        void bytes(String path, byte[] bytes, @Nullable String folderLicence) throws IOException {
            String text = new String(bytes, StandardCharsets.UTF_8);
            if (text.indexOf('\uFFFD') >= 0 && !Arrays.equals(text.getBytes(StandardCharsets.UTF_8), bytes)) {
                report.skip("not UTF-8");
                return;
            }
            String licence = folderLicence;
            if (!rules.licences().prefixes().isEmpty()) {
                String own = Licences.spdx(text);
                licence = own == null ? folderLicence : own;
                if (!rules.licences().accepts(licence)) {
                    report.skip("licence");
                    return;
                }
            }
            Map<String, Object> meta = new LinkedHashMap<>();
            if (licence != null) {
                meta.put("license", licence);
            }
            file(path, path, text, bytes, meta);
        }

        void file(String id, String path, String raw, byte[] bytes, Map<String, Object> known) throws IOException {
            byte[] digest = md5.digest(bytes);
            if (!seen.add(digest)) {
                report.skip("duplicate file");
                return;
            }
            String text = switch (fidelity) {
                case PAPER -> withoutLicenceHeader(raw);
                case COMPAT -> withoutHeaderAsRedPajama(raw);
            };
            if (text.isBlank()) {
                report.skip("empty");
                return;
            }
            if (!hasKnownSuffix(path)) { // RedPajama looks here, so this file has made its equals duplicates
                report.skip("suffix");
                return;
            }
            Statistics statistics = switch (fidelity) {
                case PAPER -> Statistics.of(text);
                case COMPAT -> Statistics.asPython(text);
            };
            String reason = reject(text, statistics);
            if (reason != null) {
                report.skip(reason);
                return;
            }
            Map<String, Object> meta = new LinkedHashMap<>(known);
            meta.put("path", path);
            meta.put("content_hash", HexFormat.of().formatHex(digest));
            meta.put("line_count", statistics.lines);
            meta.put("max_line_length", statistics.maxLineLength);
            meta.put("alnum_prop", Math.round(1000.0 * statistics.alphanumeric / statistics.length) / 1000.0);
            Document document = new Document(id, text, name(), meta);
            report.addDocument(document);
            sink.accept(document);
        }
    }

    private @Nullable String reject(String text, Statistics statistics) {
        if (statistics.maxLineLength > rules.maxLineLength()) {
            return "line too long";
        }
        if ((double) statistics.length / statistics.lines > rules.maxAverageLineLength()) {
            return "average line too long";
        }
        if (statistics.alphanumeric < rules.minAlphanumericShare() * statistics.length) {
            return "too few letters and digits";
        }
        ToLongFunction<String> tokens = rules.tokenCount();
        if (tokens != null && statistics.letters < rules.minLettersPerToken() * tokens.applyAsLong(text)) {
            return "too few letters for each token";
        }
        return null;
    }

    /**
     * What the rules look at, in one pass.
     *
     * @param length characters: Java's, or code points where Python counts
     */
    record Statistics(int length, int lines, int maxLineLength, int alphanumeric, int letters) {
        private static final byte[] KIND = new byte[128]; // 1 digit, 3 letter

        static {
            for (int c = 0; c < 128; c++) {
                KIND[c] = (byte) (Character.isLetter(c) ? 3 : Character.isDigit(c) ? 1 : 0);
            }
        }

        static Statistics of(String text) {
            byte[] kinds = KIND;
            int length = text.length();
            int lines = 0;
            int longest = 0;
            int lineStart = 0;
            int alphanumeric = 0;
            int letters = 0;
            for (int i = 0; i < length; i++) {
                char c = text.charAt(i);
                if (c < 128) {
                    int kind = kinds[c];
                    alphanumeric += kind & 1;
                    letters += kind >> 1;
                    if (c == '\n') {
                        int end = i > lineStart && text.charAt(i - 1) == '\r' ? i - 1 : i;
                        longest = Math.max(longest, end - lineStart);
                        lineStart = i + 1;
                        lines++;
                    }
                } else if (Character.isLetter(c)) {
                    alphanumeric++;
                    letters++;
                } else if (Character.isDigit(c)) {
                    alphanumeric++;
                }
            }
            if (lineStart < length) {
                longest = Math.max(longest, length - lineStart);
                lines++;
            }
            return new Statistics(length, Math.max(lines, 1), longest, alphanumeric, letters);
        }

        /** By code points, and with lines that end where {@code str.splitlines} ends them, as RedPajama counts. */
        static Statistics asPython(String text) {
            int length = 0;
            int lines = 0;
            int longest = 0;
            int line = 0;
            int alphanumeric = 0;
            int letters = 0;
            for (int i = 0; i < text.length(); ) {
                int c = text.codePointAt(i);
                i += Character.charCount(c);
                length++;
                line++;
                if (Character.isLetter(c)) {
                    letters++;
                }
                if (PythonText.isAlphanumeric(c)) {
                    alphanumeric++;
                } else if (PythonText.endsLine(c)) {
                    if (c == '\r' && i < text.length() && text.charAt(i) == '\n') {
                        i++;
                        length++;
                    }
                    longest = Math.max(longest, line - 1);
                    line = 0;
                    lines++;
                }
            }
            if (line > 0) {
                longest = Math.max(longest, line);
                lines++;
            }
            return new Statistics(length, Math.max(lines, 1), longest, alphanumeric, letters);
        }
    }

    /**
     * Removes the first block comment when it speaks of copyright or a licence, or else the line comments at the very
     * beginning when they do. A shebang stays, and so do {@code #include} and its kind.
     */
    static String withoutLicenceHeader(String text) {
        int open = text.indexOf("/*");
        if (open >= 0) {
            int close = text.indexOf("*/", open + 2);
            if (close >= 0) {
                if (!speaksOfLicence(text, open, close)) {
                    return text;
                }
                int after = close + 2;
                if (open == 0) {
                    while (after < text.length() && (text.charAt(after) == '\n' || text.charAt(after) == '\r')) {
                        after++;
                    }
                }
                return text.substring(0, open) + text.substring(after);
            }
        }
        int from = 0;
        if (text.startsWith("#!")) {
            int end = text.indexOf('\n');
            from = end < 0 ? text.length() : end + 1;
        }
        int to = from;
        while (to < text.length()) {
            int end = text.indexOf('\n', to);
            int next = end < 0 ? text.length() : end + 1;
            int first = to;
            while (first < next && (text.charAt(first) == ' ' || text.charAt(first) == '\t')) {
                first++;
            }
            boolean blank = first == next || text.charAt(first) == '\n' || text.charAt(first) == '\r';
            if (!blank && !isCommentLine(text, first)) {
                break;
            }
            to = next;
        }
        return to > from && speaksOfLicence(text, from, to) ? text.substring(0, from) + text.substring(to) : text;
    }

    private static boolean isCommentLine(String text, int at) {
        if (text.startsWith("//", at) || text.startsWith("--", at)) {
            return true;
        }
        if (text.charAt(at) != '#') {
            return false;
        }
        int next = at + 1;
        return next >= text.length() || !Character.isLetter(text.charAt(next)) || text.startsWith("#Copyright", at);
    }

    private static boolean speaksOfLicence(String text, int from, int to) {
        int n = to - 6;
        for (int i = from; i < n; i++) {
            char c = text.charAt(i);
            if ((c == 'c' || c == 'C') && text.regionMatches(true, i, "copyright", 0, 9)) {
                return true;
            }
            if ((c == 'l' || c == 'L')
                    && (text.regionMatches(true, i, "license", 0, 7) || text.regionMatches(true, i, "licence", 0, 7))) {
                return true;
            }
        }
        return false;
    }

    /** As RedPajama: a block comment is cut only for the word copyright; without any, all leading comment lines go. */
    static String withoutHeaderAsRedPajama(String text) {
        int open = text.indexOf("/*");
        int close = open < 0 ? -1 : text.indexOf("*/", open + 2);
        if (close >= 0) {
            String comment = text.substring(open, close + 2);
            return comment.toLowerCase(Locale.ROOT).contains("copyright")
                    ? text.substring(0, open) + text.substring(close + 2)
                    : text;
        }
        int at = 0;
        while (at < text.length()) {
            boolean skip = text.charAt(at) == '\n'
                    || text.charAt(at) == '#'
                    || text.startsWith("//", at)
                    || text.startsWith("--", at);
            if (!skip) {
                break;
            }
            int end = text.indexOf('\n', at);
            at = end < 0 ? text.length() : end + 1;
        }
        return text.substring(at);
    }
}
