package dev.puna.tokenizer.train;

import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** Counts the words of text files with a team of threads, in pieces of about four megabytes cut at line ends. */
public final class CorpusCounter {
    private static final int PIECE = 4 << 20;

    private CorpusCounter() {}

    private record Piece(Path file, long from, int length) {}

    /**
     * The counts of all files together. A file is cut only behind a line feed that something other than white space
     * follows, so that no word of any splitter is cut; a line longer than 64 MiB is cut anyway.
     */
    public static WordCounts count(List<Path> files, WordSplitter splitter, ThreadTeam team) throws IOException {
        List<Piece> pieces = new ArrayList<>();
        for (Path file : files) {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                long size = channel.size();
                for (long from = 0; from < size; ) {
                    long to =
                            from + PIECE >= size ? size : cut(channel, from + PIECE, Math.min(size, from + (64 << 20)));
                    pieces.add(new Piece(file, from, (int) (to - from)));
                    from = to;
                }
            }
        }
        WordCounts[] counts = new WordCounts[team.size()];
        AtomicInteger next = new AtomicInteger();
        team.run((member, size) -> {
            WordCounts own = new WordCounts();
            counts[member] = own;
            byte[] buffer = new byte[0];
            for (int i = next.getAndIncrement(); i < pieces.size(); i = next.getAndIncrement()) {
                Piece piece = pieces.get(i);
                if (buffer.length < piece.length()) {
                    buffer = new byte[piece.length() + (1 << 20)];
                }
                try (FileChannel channel = FileChannel.open(piece.file(), StandardOpenOption.READ)) {
                    ByteBuffer target = ByteBuffer.wrap(buffer, 0, piece.length());
                    while (target.hasRemaining() && channel.read(target, piece.from() + target.position()) > 0) {}
                    splitter.count(buffer, 0, target.position(), own);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        });
        WordCounts all = counts[0];
        for (int i = 1; i < counts.length; i++) {
            all.addAll(counts[i]);
        }
        return all;
    }

    /** The first place from {@code from} on behind a line feed that something other than white space follows. */
    private static long cut(FileChannel channel, long from, long limit) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        boolean afterLineFeed = false;
        for (long at = from; at < limit; ) {
            buffer.clear();
            int n = channel.read(buffer, at);
            if (n <= 0) {
                break;
            }
            for (int i = 0; i < n && at + i < limit; i++) {
                byte b = buffer.get(i);
                if (afterLineFeed && b > ' ') {
                    return at + i;
                }
                afterLineFeed = b == '\n' || (afterLineFeed && b == '\r');
            }
            at += n;
        }
        return limit;
    }
}
