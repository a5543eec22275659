package dev.puna.speedrun;

import dev.puna.data.Compression;
import dev.puna.data.ReadReport;
import dev.puna.data.source.ArxivSource;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * What a run learns from.
 *
 * @param path the file or folder
 * @param kind what it was found to be, for people: {@code "source code"}
 * @param source that reads it, as a recipe of {@code puna data prepare} writes it, {@code kind} and settings
 * @param inputs files and folders, in the order in which they count
 * @param textBytes about how much text there is before cleaning
 */
public record Corpus(Path path, String kind, String source, List<Path> inputs, long textBytes) {
    /** Text that such dumps hold, for each byte of the compressed file. */
    private static final double BZIP2_RATIO = 4;

    private static final byte[] SEVEN_ZIP = {'7', 'z', (byte) 0xbc, (byte) 0xaf, 0x27, 0x1c};

    private static final double MARKUP_SHARE = 0.5;

    /** Endings of programs, of the ones that the source of programs takes the usual. */
    private static final Set<String> PROGRAMS = Set.of(
            "java", "c", "h", "cc", "cpp", "hpp", "cs", "go", "rs", "py", "js", "ts", "tsx", "rb", "php", "scala", "sh",
            "sql", "swift", "lua", "pl", "hs", "jl", "m", "f90", "asm");

    /**
     * Longer texts go in pieces of so many characters, where a corpus may be a few long ones: of whole ones none could be
     * held out.
     */
    private static final int PIECE_CHARS = 16384;

    private static final String PIECES = ", pieces: " + PIECE_CHARS;

    /** What {@code books} takes as one text; beyond it is read by lines. */
    private static final long MOST_OF_A_BOOK = 60 << 20;

    /** A document in this many is held out, and of little text more, so that about twenty pieces are. */
    private static final int HELD_OUT_ONE_IN = 50;

    private static final int LEAST_HELD_OUT_PIECES = 20;

    /** Every licence: a model that stays with its owner may learn from what the owner may read. */
    private static final String CODE = "github, licences: any";

    public Corpus {
        inputs = List.copyOf(inputs);
    }

    /** Of so much text, one document in this many is held out. */
    static int heldOutOneIn(long textBytes) {
        return Math.clamp(textBytes / (LEAST_HELD_OUT_PIECES * PIECE_CHARS), 4, HELD_OUT_ONE_IN);
    }

    /**
     * The sources of a JDK: {@code lib/src.zip}.
     *
     * @throws ConfigurationException when it came without them, with what brings them
     */
    public static Corpus ofJdk(Path javaHome) throws IOException {
        Path zip = javaHome.resolve("lib/src.zip");
        if (!Files.isRegularFile(zip)) {
            throw new ConfigurationException(
                    "--corpus",
                    zip,
                    "there is no such file: this JDK came without its sources. Debian and Ubuntu: apt-get install openjdk-25-source; Fedora:"
                            + " dnf install java-25-openjdk-src; Temurin's archives from adoptium.net have them. Or name"
                            + " your own text: --corpus DIR|FILE|ZIP");
        }
        return code(zip, "sources of the JDK");
    }

    /**
     * Looks at what lies there and chooses the source that reads it.
     *
     * @throws ConfigurationException when there is nothing, or nothing that any source reads
     */
    public static Corpus of(Path path) throws IOException {
        if (!Files.exists(path)) {
            throw new ConfigurationException("--corpus", path, "there is no such file or folder");
        }
        if (!Files.isReadable(path)) {
            throw new ConfigurationException("--corpus", path, "cannot be read: permission denied");
        }
        return Files.isDirectory(path) ? ofFolder(path) : ofFile(path);
    }

    private static Corpus ofFile(Path file) throws IOException {
        String name = nameOf(file);
        long size = Files.size(file);
        if (name.endsWith(".zip") || name.endsWith(".jar")) {
            return code(file, "source code in an archive");
        }
        if (name.endsWith(".7z")) {
            if (!isSevenZip(file)) {
                throw unknown(file, "is not a 7z archive");
            }
            return new Corpus(
                    file, "a StackExchange dump", "stackexchange", List.of(file), (long) (size * BZIP2_RATIO));
        }
        String head = head(file);
        boolean compressed = !Compression.ofName(file).equals(Compression.NONE) || name.endsWith(".tgz");
        long text = compressed ? (long) (size * BZIP2_RATIO) : size;
        if (head.contains("<mediawiki")) {
            return new Corpus(file, "a Wikipedia dump", "wikipedia", List.of(file), (long) (text * MARKUP_SHARE));
        }
        if (head.contains("<posts>")) {
            return new Corpus(
                    file, "a StackExchange dump", "stackexchange", List.of(file), (long) (text * MARKUP_SHARE));
        }
        boolean tar = isTar(file);
        if (tar && !ArxivSource.holdsPapers(file)) {
            throw unknown(file, "is a tar without LaTeX; unpack it, or make a .zip of source code");
        }
        if (tar || (name.endsWith(".tex") && !compressed)) {
            return new Corpus(file, "LaTeX", "arxiv" + PIECES, List.of(file), text);
        }
        if (head.stripLeading().startsWith("{") && (name.contains(".jsonl") || name.contains(".json"))) {
            return new Corpus(file, "documents as JSON lines", "jsonl" + PIECES, List.of(file), text);
        }
        if (head.indexOf('\0') >= 0 || head.isEmpty()) {
            throw unknown(file, head.isEmpty() ? "is empty" : "is a binary file of no kind that is known here");
        }
        return text(file, text, text);
    }

    /** Plain text: as books with their frames, where none is too large for that. */
    private static Corpus text(Path path, long bytes, long largest) {
        return new Corpus(
                path, "plain text", (largest > MOST_OF_A_BOOK ? "text" : "books") + PIECES, List.of(path), bytes);
    }

    private static Corpus ofFolder(Path folder) throws IOException {
        List<Path> files;
        try (Stream<Path> walk = Files.walk(folder)) {
            files = walk.filter(Files::isRegularFile)
                    .filter(Files::isReadable)
                    .filter(file -> !folder.relativize(file).toString().startsWith(".git/"))
                    .sorted()
                    .toList();
        }
        List<Path> dumps = new ArrayList<>();
        long programs = 0;
        long texts = 0;
        long largest = 0;
        long latex = 0;
        for (Path file : files) {
            String name = nameOf(file);
            String ending = name.substring(name.lastIndexOf('.') + 1);
            long size = Files.size(file);
            if (PROGRAMS.contains(ending)) {
                programs += size;
            } else if (ending.equals("txt")) {
                texts += size;
                largest = Math.max(largest, size);
            } else if (ending.equals("tex")) {
                latex += size;
            } else if (name.endsWith(".7z")
                    || name.contains(".jsonl")
                    || name.contains(".xml.bz2")
                    || name.matches(".*\\.(tar|tar\\.\\w+|tgz)")
                    || name.equals("posts.xml")) {
                dumps.add(file);
            }
        }
        if (!dumps.isEmpty()) {
            Corpus first = ofFile(dumps.getFirst());
            List<Path> same = new ArrayList<>();
            long text = 0;
            for (Path dump : dumps) {
                Corpus corpus = ofFile(dump);
                if (corpus.source.equals(first.source)) {
                    same.add(dump);
                    text += corpus.textBytes;
                }
            }
            if (text > programs + texts + latex) {
                return new Corpus(
                        folder,
                        first.kind + (same.size() > 1 ? ", " + same.size() + " files" : ""),
                        first.source,
                        same,
                        text);
            }
        }
        if (programs >= texts && programs >= latex && programs > 0) {
            return new Corpus(folder, "source code", CODE, List.of(folder), programs);
        }
        if (latex > texts) {
            return new Corpus(folder, "LaTeX", "arxiv" + PIECES, List.of(folder), latex);
        }
        if (texts > 0) {
            return text(folder, texts, largest);
        }
        throw unknown(folder, "has " + files.size() + " files, and none of a kind that is known here");
    }

    private static Corpus code(Path zip, String kind) throws IOException {
        long text = 0;
        try (ZipFile file = new ZipFile(zip.toFile())) {
            for (Enumeration<? extends ZipEntry> all = file.entries(); all.hasMoreElements(); ) {
                ZipEntry entry = all.nextElement();
                String name = entry.getName();
                if (PROGRAMS.contains(name.substring(name.lastIndexOf('.') + 1))) {
                    text += Math.max(0, entry.getSize());
                }
            }
        } catch (ZipException e) {
            throw unknown(zip, "is not a zip archive (" + e.getMessage() + ")");
        }
        if (text == 0) {
            throw unknown(zip, "has no source code in it");
        }
        return new Corpus(zip, kind, CODE, List.of(zip), text);
    }

    private static ConfigurationException unknown(Path path, String found) {
        return new ConfigurationException(
                "--corpus",
                path,
                found
                        + "; name a folder or a zip of source code, a Wikipedia dump (.xml.bz2), a StackExchange dump"
                        + " (.7z, Posts.xml), LaTeX (.tar, .tex), plain text (.txt) or JSON lines (.jsonl, also .gz,"
                        + " .zst)");
    }

    private static String nameOf(Path file) {
        return String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    }

    private static String head(Path file) throws IOException {
        try (InputStream in = Compression.open(file, new ReadReport())) {
            return new String(in.readNBytes(4096), StandardCharsets.UTF_8);
        }
    }

    private static boolean isSevenZip(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return Arrays.equals(in.readNBytes(SEVEN_ZIP.length), SEVEN_ZIP);
        }
    }

    private static boolean isTar(Path file) throws IOException {
        try (InputStream in = Compression.open(file, new ReadReport())) {
            byte[] header = in.readNBytes(512);
            return header.length == 512 && new String(header, 257, 5, StandardCharsets.US_ASCII).equals("ustar");
        }
    }
}
