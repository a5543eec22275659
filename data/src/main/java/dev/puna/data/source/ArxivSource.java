package dev.puna.data.source;

import dev.puna.data.Compression;
import dev.puna.data.Document;
import dev.puna.data.DocumentSink;
import dev.puna.data.ReadReport;
import dev.puna.tensor.CorruptFileException;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.jspecify.annotations.Nullable;

/**
 * Papers from ArXiv's source archives: a tar of members that are each a gzip'd tar of the paper's files or one gzip'd
 * LaTeX file. A folder is one paper, and so are a file {@code .tex} and a tar of such files, as ArXiv gives out the source
 * of one paper. Names inside the archives are looked at, never written to.
 *
 * @param fidelity {@link Fidelity#COMPAT} cleans as RedPajama does
 */
public record ArxivSource(Fidelity fidelity) implements DocumentSource {
    /** What one paper may take when it is decompressed; larger ones are reported and skipped. */
    public static final int MAX_PAPER_BYTES = 128 << 20;

    private static final int MAX_TEX_BYTES = 16 << 20;

    private static final int MEMBERS_LOOKED_AT = 1000;

    @Override
    public String name() {
        return "arxiv";
    }

    @Override
    public void read(Split split, DocumentSink sink, ReadReport report) throws IOException {
        Path path = split.path();
        if (Files.isDirectory(path)) {
            Map<String, byte[]> files = new LinkedHashMap<>();
            List<Path> found;
            try (Stream<Path> walk = Files.walk(path)) {
                found = walk.filter(p -> p.toString().endsWith(".tex")).sorted().toList();
            }
            for (Path file : found) {
                if (Files.size(file) <= MAX_TEX_BYTES) {
                    byte[] bytes = Files.readAllBytes(file);
                    report.addBytes(bytes.length);
                    files.put(path.relativize(file).toString(), bytes);
                }
            }
            paper(String.valueOf(path.getFileName()), "", files, sink, report);
            return;
        }
        if (isTex(path.toString())) {
            if (Files.size(path) > MAX_TEX_BYTES) {
                report.broken(path, 0, "more than " + (MAX_TEX_BYTES >> 20) + " MiB of LaTeX");
                return;
            }
            byte[] bytes = Files.readAllBytes(path);
            report.addBytes(bytes.length);
            String name = String.valueOf(path.getFileName());
            paper(name.substring(0, name.length() - 4), "", Map.of(name, bytes), sink, report);
            return;
        }
        Map<String, byte[]> loose = new LinkedHashMap<>(); // of a tar that is one paper itself
        long looseBytes = 0;
        try (InputStream in = Compression.open(path, report);
                TarArchiveInputStream tar = new TarArchiveInputStream(in)) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                if (entry.isDirectory()) {
                    continue;
                }
                String name = entry.getName();
                if (isTex(name) && entry.getSize() <= MAX_TEX_BYTES && looseBytes <= MAX_PAPER_BYTES) {
                    byte[] tex = tar.readNBytes(MAX_TEX_BYTES);
                    looseBytes += tex.length;
                    loose.put(name, tex);
                    continue;
                }
                if (!name.endsWith(".gz")) {
                    report.skip("member that is neither .gz nor .tex");
                    continue;
                }
                String id = name.substring(name.lastIndexOf('/') + 1, name.length() - 3);
                if (entry.getSize() > MAX_PAPER_BYTES) {
                    report.broken(path, tar.getBytesRead(), "member " + name + " has " + entry.getSize() + " bytes");
                    continue;
                }
                byte[] member = tar.readAllBytes();
                Map<String, byte[]> files;
                try {
                    files = files(member);
                } catch (IOException | IllegalArgumentException e) {
                    report.broken(path, tar.getBytesRead(), "member " + name + ": " + e.getMessage());
                    continue;
                }
                String date = entry.getLastModifiedDate() == null
                        ? ""
                        : entry.getLastModifiedDate().toInstant().toString();
                paper(id, date, files, sink, report);
            }
        } catch (IOException | IllegalArgumentException e) {
            throw new CorruptFileException(path, report.bytes(), "a tar archive", String.valueOf(e.getMessage()));
        }
        if (!loose.isEmpty()) {
            String name = String.valueOf(path.getFileName());
            paper(name.substring(0, Math.max(1, name.indexOf('.'))), "", loose, sink, report);
        }
    }

    /** Whether a tar has something that this source reads, {@code .tex} or {@code .gz}, among its first members. */
    public static boolean holdsPapers(Path tar) throws IOException {
        try (InputStream in = Compression.open(tar, new ReadReport());
                TarArchiveInputStream members = new TarArchiveInputStream(in)) {
            for (int i = 0; i < MEMBERS_LOOKED_AT; i++) {
                TarArchiveEntry entry = members.getNextEntry();
                if (entry == null) {
                    return false;
                }
                if (entry.isFile() && (isTex(entry.getName()) || entry.getName().endsWith(".gz"))) {
                    return true;
                }
            }
            return false;
        }
    }

    private static boolean isTex(String name) {
        return name.toLowerCase(Locale.ROOT).endsWith(".tex");
    }

    /** The LaTeX files of a gzip'd member, by name. */
    private static Map<String, byte[]> files(byte[] member) throws IOException {
        Map<String, byte[]> files = new LinkedHashMap<>();
        try (BufferedInputStream in =
                new BufferedInputStream(new GZIPInputStream(new ByteArrayInputStream(member)), 1 << 16)) {
            in.mark(1024);
            byte[] head = in.readNBytes(512);
            in.reset();
            if (!isTar(head)) {
                byte[] tex = in.readNBytes(MAX_TEX_BYTES + 1);
                if (tex.length > MAX_TEX_BYTES) {
                    throw new IOException(
                            "more than " + (MAX_TEX_BYTES >> 20) + " MiB of LaTeX (a decompression bomb?)");
                }
                files.put("main.tex", tex);
                return files;
            }
            TarArchiveInputStream tar = new TarArchiveInputStream(in);
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                if (tar.getBytesRead() > MAX_PAPER_BYTES) {
                    throw new IOException(
                            "more than " + (MAX_PAPER_BYTES >> 20) + " MiB in one paper (a decompression bomb?)");
                }
                if (entry.isFile() && isTex(entry.getName())) {
                    byte[] tex = tar.readNBytes(MAX_TEX_BYTES + 1);
                    if (tex.length > MAX_TEX_BYTES) {
                        throw new IOException(
                                "a file of more than " + (MAX_TEX_BYTES >> 20) + " MiB: " + entry.getName());
                    }
                    files.put(entry.getName(), tex);
                }
                if (entry.getSize() > MAX_PAPER_BYTES) {
                    throw new IOException("a file of " + entry.getSize() + " bytes: " + entry.getName());
                }
            }
        }
        return files;
    }

    private static boolean isTar(byte[] head) {
        return head.length == 512 && TarArchiveInputStream.matches(head, head.length);
    }

    private void paper(String id, String date, Map<String, byte[]> files, DocumentSink sink, ReadReport report)
            throws IOException {
        Map<String, String> texts = new LinkedHashMap<>();
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            String text = decode(file.getValue());
            if (text == null) {
                report.skip("not UTF-8");
                return;
            }
            texts.put(file.getKey(), text);
        }
        if (texts.isEmpty()) {
            report.skip("no LaTeX");
            return;
        }
        String text = switch (fidelity) {
            case PAPER -> Latex.paper(texts);
            case COMPAT -> Latex.compat(texts);
        };
        if (text == null) {
            report.skip("a macro that RedPajama fails on");
            return;
        }
        if (text.isBlank()) {
            report.skip("no section");
            return;
        }
        Map<String, Object> meta = new LinkedHashMap<>();
        String arxivId = arxivId(id);
        meta.put("arxiv_id", arxivId);
        meta.put("url", "https://arxiv.org/abs/" + arxivId);
        if (!date.isEmpty()) {
            meta.put("timestamp", date);
        }
        Document document = new Document(arxivId, text, name(), meta);
        report.addDocument(document);
        sink.accept(document);
    }

    /** Old identifiers stand in file names without their slash: {@code hep-th9901001}. */
    private static String arxivId(String name) {
        int digit = 0;
        while (digit < name.length() && !Character.isDigit(name.charAt(digit))) {
            digit++;
        }
        return digit > 0 && digit < name.length() && name.length() - digit == 7
                ? name.substring(0, digit) + "/" + name.substring(digit)
                : name;
    }

    private @Nullable String decode(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            // The paper says nothing about encodings; RedPajama drops such papers, most of which are Latin-1.
            return fidelity == Fidelity.COMPAT ? null : new String(bytes, StandardCharsets.ISO_8859_1);
        }
    }
}
