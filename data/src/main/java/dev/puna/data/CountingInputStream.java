package dev.puna.data;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;

/** Counts the bytes that pass. */
final class CountingInputStream extends FilterInputStream {
    private final ReadReport report;
    private long count;

    CountingInputStream(InputStream in, ReadReport report) {
        super(in);
        this.report = report;
    }

    long count() {
        return count;
    }

    @Override
    public int read() throws IOException {
        int b = in.read();
        if (b >= 0) {
            count++;
            report.addBytes(1);
        }
        return b;
    }

    @Override
    public int read(byte[] b, int off, int len) throws IOException {
        int n = in.read(b, off, len);
        if (n > 0) {
            count += n;
            report.addBytes(n);
        }
        return n;
    }

    @Override
    public boolean markSupported() {
        return false;
    }
}
