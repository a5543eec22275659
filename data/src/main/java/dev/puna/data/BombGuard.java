package dev.puna.data;

import dev.puna.tensor.CorruptFileException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;

/** Refuses to go on when far more comes out of a decompressor than text can explain. */
final class BombGuard extends FilterInputStream {
    private final CountingInputStream compressed;
    private final Path path;
    private long count;

    BombGuard(InputStream in, CountingInputStream compressed, Path path) {
        super(in);
        this.compressed = compressed;
        this.path = path;
    }

    private void check() {
        if (count > Compression.BOMB_FREE_BYTES && count / Compression.BOMB_RATIO > compressed.count()) {
            throw new CorruptFileException(
                    path,
                    compressed.count(),
                    "at most " + Compression.BOMB_RATIO + " bytes of text for a compressed byte",
                    count + " bytes from " + compressed.count() + " (a decompression bomb)");
        }
    }

    private CorruptFileException broken(IOException e) {
        String problem = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        return new CorruptFileException(path, compressed.count(), "a complete compressed stream", problem);
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        int n = read(one, 0, 1);
        return n < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] b, int off, int len) throws IOException {
        int n;
        try {
            n = in.read(b, off, len);
        } catch (ClosedChannelException e) {
            throw e; // an interrupt, not a damaged file
        } catch (IOException e) {
            throw broken(e);
        }
        if (n > 0) {
            count += n;
            check();
        }
        return n;
    }

    @Override
    public boolean markSupported() {
        return false;
    }
}
