package dev.puna.data.source;

import dev.puna.data.dedup.LineHash;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Fetches a dump over HTTP into a folder. What is there already is not fetched again; a download that broke off, in this
 * run or an earlier one, goes on at its last byte (RFC 9110, section 14: {@code Range} with {@code If-Range}, so that a
 * file that changed meanwhile begins anew).
 */
public final class Download {
    private static final int ATTEMPTS = 6;
    private static final int BUFFER = 1 << 16;
    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d+)-\\d+/(\\d+|\\*)");

    private final long pauseMillis;
    private final int silenceMillis;

    /** With a pause between attempts that begins with one second and doubles; a minute of silence is a broken connection. */
    public Download() {
        this(1000, 60_000);
    }

    Download(long pauseMillis, int silenceMillis) {
        this.pauseMillis = pauseMillis;
        this.silenceMillis = silenceMillis;
    }

    /** Told while a file comes. */
    @FunctionalInterface
    public interface Progress {
        /** @param total 0 when the server does not say */
        void received(long bytes, long total);
    }

    /** Whether an input is named by an address. */
    public static boolean isAddress(String input) {
        return input.startsWith("http://") || input.startsWith("https://");
    }

    /**
     * The file under its own name, in a folder of the address below {@code folder}: dumps of one name are many.
     *
     * @throws ConfigurationException when the server has no such file
     * @throws IOException when it could not be had after several attempts; what came stays for the next run
     */
    public Path fetch(URI address, Path folder, Progress progress) throws IOException {
        String name = fileName(address);
        Path own = folder.resolve(Long.toHexString(LineHash.sha1(address.toString())));
        Path target = own.resolve(name);
        if (Files.exists(target)) {
            return target;
        }
        Files.createDirectories(own);
        Path partial = own.resolve(name + ".partial");
        Path tag = own.resolve(name + ".partial.etag");
        for (int attempt = 1; ; attempt++) {
            long before = Files.exists(partial) ? Files.size(partial) : 0;
            try {
                attempt(address, partial, tag, progress);
                break;
            } catch (IOException e) {
                if (Files.exists(partial) && Files.size(partial) > before) {
                    attempt = 0; // it moves
                }
                if (attempt >= ATTEMPTS || Thread.currentThread().isInterrupted()) {
                    throw e;
                }
                pause(pauseMillis << Math.max(0, attempt - 1));
            }
        }
        Files.deleteIfExists(tag);
        AtomicFile.publish(partial, target);
        return target;
    }

    private static String fileName(URI address) {
        String path = address.getPath() == null ? "" : address.getPath();
        String name = path.substring(path.lastIndexOf('/') + 1);
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.indexOf('\0') >= 0) {
            throw new ConfigurationException("address", address, "it names no file");
        }
        return name.replace('\\', '_');
    }

    private static void pause(long millis) throws InterruptedIOException {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("the download was interrupted");
        }
    }

    private void attempt(URI address, Path partial, Path tag, Progress progress) throws IOException {
        long have = Files.exists(partial) && Files.exists(tag) ? Files.size(partial) : 0;
        HttpURLConnection connection = (HttpURLConnection) address.toURL().openConnection();
        connection.setConnectTimeout(30_000);
        connection.setReadTimeout(silenceMillis);
        connection.setRequestProperty("Accept-Encoding", "identity");
        if (have > 0) {
            connection.setRequestProperty("Range", "bytes=" + have + "-");
            connection.setRequestProperty("If-Range", Files.readString(tag));
        }
        try {
            int status = connection.getResponseCode();
            long total;
            switch (status) {
                case 200 -> {
                    have = 0;
                    total = Math.max(0, connection.getContentLengthLong());
                    String validator = connection.getHeaderField("ETag");
                    if (validator == null || validator.startsWith("W/")) {
                        validator = connection.getHeaderField("Last-Modified");
                    }
                    if (validator == null) {
                        Files.deleteIfExists(tag); // no way to know that the rest is of the same file
                    } else {
                        Files.write(tag, validator.getBytes(StandardCharsets.ISO_8859_1));
                    }
                }
                case 206 -> {
                    Matcher range = CONTENT_RANGE.matcher(String.valueOf(connection.getHeaderField("Content-Range")));
                    if (!range.matches() || Long.parseLong(range.group(1)) != have) {
                        Files.deleteIfExists(partial);
                        throw new IOException(address + ": another range than the one from byte " + have + " on came");
                    }
                    total = range.group(2).equals("*") ? 0 : Long.parseLong(range.group(2));
                }
                case 416 -> {
                    Files.deleteIfExists(partial);
                    throw new IOException(address + ": nothing behind byte " + have + "; beginning anew");
                }
                case 401, 403, 404, 410 ->
                    throw new ConfigurationException("address", address, "the server answers " + status);
                default -> throw new IOException(address + ": the server answers " + status);
            }
            try (InputStream body = connection.getInputStream()) {
                copy(body, partial, have, total, progress);
            }
            if (total > 0 && Files.size(partial) != total) {
                throw new EOFException(address + ": ended at byte " + Files.size(partial) + " of " + total);
            }
        } finally {
            connection.disconnect();
        }
    }

    private static void copy(InputStream body, Path partial, long have, long total, Progress progress)
            throws IOException {
        StandardOpenOption how = have > 0 ? StandardOpenOption.APPEND : StandardOpenOption.TRUNCATE_EXISTING;
        try (OutputStream out =
                Files.newOutputStream(partial, StandardOpenOption.CREATE, StandardOpenOption.WRITE, how)) {
            byte[] buffer = new byte[BUFFER];
            long received = have;
            for (int n = body.read(buffer); n >= 0; n = body.read(buffer)) {
                out.write(buffer, 0, n);
                received += n;
                progress.received(received, total);
            }
        }
    }
}
