package dev.puna.data;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/**
 * Decompresses bzip2, several streams in a row too (Burrows and Wheeler 1994; the format after Julian Seward's bzip2 1.0).
 *
 * <p>A block of 900,000 bytes is undone by following a chain of as many steps through 3.6 MB, each to a place that only the
 * step before knows, so that nearly every step waits for the third cache. Chains of different blocks know nothing of each
 * other: up to {@value #AHEAD} blocks are decoded ahead and their chains followed in turn, which hides most of the waiting.
 * That needs 36 MB at most, of a small file less. Blocks before a damaged one are delivered.
 */
public final class Bzip2InputStream extends InputStream {
    private static final int AHEAD = 8;
    private static final long BLOCK = 0x314159265359L;
    private static final long END = 0x177245385090L;
    private static final int MAX_GROUPS = 6;
    private static final int MAX_LENGTH = 20; // of a code
    private static final int MAX_SELECTORS = 18_002;
    private static final int GROUP = 50;
    private static final int LOOKUP_BITS = 10;
    private static final int CHUNK = 1 << 16;

    /** Checksums of bytes, most significant bit first, polynomial 0x04C11DB7. */
    private static final int[] CRC = new int[256];

    static {
        for (int i = 0; i < 256; i++) {
            int c = i << 24;
            for (int bit = 0; bit < 8; bit++) {
                c = c < 0 ? (c << 1) ^ 0x04C11DB7 : c << 1;
            }
            CRC[i] = c;
        }
    }

    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private final InputStream in;
    private final byte[] input = new byte[1 << 16];
    private int inputAt;
    private int inputEnd;
    private boolean ended;
    private long bits; // the next ones, at the top
    private int bitCount;

    private int level; // of the stream that is open; 0 between streams
    private boolean any; // stream was there
    private boolean done;
    private int streamChecksum;

    // Of the blocks that are decoded ahead, each in a part of the arrays.
    private int ahead = 1;
    private int[] chain = new int[0]; // a byte, and above it where the next one is
    private byte[] bytes = new byte[0]; // still with runs as four bytes and a count
    private int stride;
    private final int[] sizes = new int[AHEAD];
    private final int[] firsts = new int[AHEAD]; // links
    private final int[] checksums = new int[AHEAD];
    private int blockCount;
    private int blockAt;
    private @Nullable IOException failure; // behind the blocks that are there

    private final byte[] chunk = new byte[CHUNK + 256];
    private int chunkAt;
    private int chunkEnd;
    private int bytesAt; // in the bytes of the block that is being delivered
    private int run; // equal bytes at its end
    private int last;
    private int checksum;

    // Of the block that is being decoded.
    private final byte[] selectors = new byte[MAX_SELECTORS];
    private final byte[][] lengths = new byte[MAX_GROUPS][258];
    private final short[][] lookups = new short[MAX_GROUPS][1 << LOOKUP_BITS];
    private final int[][] limits = new int[MAX_GROUPS][MAX_LENGTH + 2];
    private final int[][] bases = new int[MAX_GROUPS][MAX_LENGTH + 2];
    private final short[][] sorted = new short[MAX_GROUPS][258];
    private final byte[] recent = new byte[256];
    private final int[] counts = new int[256];

    /** Closing closes {@code in}; nothing is read before the first byte is asked for. */
    public Bzip2InputStream(InputStream in) {
        this.in = in;
    }

    @Override
    public int read() throws IOException {
        return chunkAt < chunkEnd || expand() ? chunk[chunkAt++] & 0xff : -1;
    }

    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        if (chunkAt == chunkEnd && !expand()) {
            return -1;
        }
        int n = Math.min(length, chunkEnd - chunkAt);
        System.arraycopy(chunk, chunkAt, to, offset, n);
        chunkAt += n;
        return n;
    }

    @Override
    public void close() throws IOException {
        done = true;
        blockAt = 0;
        blockCount = 0;
        chunkAt = chunkEnd;
        in.close();
    }

    // ---- Runs: the last step --------------------------------------------------------------------------------------

    /** Fills the chunk; false at the end. */
    private boolean expand() throws IOException {
        chunkAt = 0;
        chunkEnd = 0;
        while (chunkEnd == 0) {
            if (blockAt == blockCount && !decodeAhead()) {
                return false;
            }
            expand(blockAt);
        }
        return true;
    }

    /** Four equal bytes are followed by the number of those that follow them. */
    private void expand(int block) throws IOException {
        byte[] from = bytes;
        int at = block * stride + bytesAt;
        int end = block * stride + sizes[block];
        byte[] to = chunk;
        int n = 0;
        int length = run;
        int before = last;
        while (at < end && n < CHUNK) {
            int value = from[at++] & 0xff;
            if (length == 4) {
                Arrays.fill(to, n, n + value, (byte) before);
                n += value;
                length = 0;
                before = -1;
                continue;
            }
            length = value == before ? length + 1 : 1;
            before = value;
            to[n++] = (byte) value;
        }
        int crc = checksum;
        for (int i = 0; i < n; i++) {
            crc = (crc << 8) ^ CRC[(crc >>> 24) ^ (to[i] & 0xff)];
        }
        checksum = crc;
        bytesAt = at - block * stride;
        run = length;
        last = before;
        chunkEnd = n;
        if (at == end) {
            blockAt++;
            if (~crc != checksums[block]) {
                chunkEnd = 0;
                blockCount = blockAt;
                done = true;
                failure = null;
                throw new ZipException("bzip2: a block's checksum is not that of its bytes");
            }
            beginBlock();
        }
    }

    private void beginBlock() {
        bytesAt = 0;
        run = 0;
        last = -1;
        checksum = -1;
    }

    // ---- Blocks ---------------------------------------------------------------------------------------------------

    /** Decodes the next blocks; false at the end. */
    private boolean decodeAhead() throws IOException {
        blockAt = 0;
        blockCount = 0;
        beginBlock();
        if (failure == null && !done) {
            try {
                while (blockCount < ahead && !done) {
                    if (next(blockCount)) {
                        blockCount++;
                    }
                }
            } catch (IOException e) {
                failure = e;
            }
            follow();
            ahead = Math.min(AHEAD, 2 * ahead);
        }
        if (blockCount == 0 && failure != null) {
            IOException told = failure;
            failure = null;
            done = true;
            throw told;
        }
        return blockCount > 0;
    }

    /** Reads up to the end of a block, of a stream or of everything; true when it was a block. */
    private boolean next(int block) throws IOException {
        if (level == 0) {
            beginStream();
            return false;
        }
        long magic = (long) take(24) << 24 | take(24);
        if (magic == BLOCK) {
            int blockChecksum = take(16) << 16 | take(16);
            decode(block);
            checksums[block] = blockChecksum;
            streamChecksum = Integer.rotateLeft(streamChecksum, 1) ^ blockChecksum;
            return true;
        }
        if (magic != END) {
            throw new ZipException("bzip2: neither a block nor the end of a stream where one must be");
        }
        int expected = take(16) << 16 | take(16);
        if (expected != streamChecksum) {
            throw new ZipException("bzip2: a stream's checksum is not that of its blocks");
        }
        take(bitCount & 7); // the next stream begins with a byte
        level = 0;
        return false;
    }

    private void beginStream() throws IOException {
        need(8);
        if (any && bitCount == 0) {
            done = true;
            return;
        }
        if (take(8) != 'B' || take(8) != 'Z' || take(8) != 'h') {
            throw new ZipException(any ? "bzip2: something else behind a stream" : "bzip2: no stream begins here");
        }
        int size = take(8) - '0';
        if (size < 1 || size > 9) {
            throw new ZipException("bzip2: a block size of " + size + " hundred thousand");
        }
        level = size;
        any = true;
        streamChecksum = 0;
    }

    /** From codes to the chain. */
    private void decode(int block) throws IOException {
        if (take(1) != 0) {
            throw new ZipException("bzip2: a randomised block, as bzip2 wrote before 0.9.5");
        }
        int origin = take(24);
        int used = usedBytes();
        int groups = take(3);
        if (groups < 2 || groups > MAX_GROUPS) {
            throw new ZipException("bzip2: " + groups + " tables of codes");
        }
        int selectorCount = readSelectors(groups);
        readCodes(groups, used + 2);
        int capacity = level * 100_000;
        int from = place(block, capacity);
        int count = readSymbols(from, capacity, used + 1, selectorCount);
        if (origin >= count) {
            throw new ZipException("bzip2: a block of " + count + " bytes begins at " + origin);
        }
        int sum = from;
        for (int value = 0; value < 256; value++) {
            int here = counts[value];
            counts[value] = sum;
            sum += here;
        }
        int[] links = chain;
        for (int i = from; i < from + count; i++) {
            links[counts[links[i] & 0xff]++] |= i << 8;
        }
        sizes[block] = count;
        firsts[block] = links[from + origin] >>> 8;
    }

    /** Where a block's part of the arrays begins; those of larger blocks than before, or of more, are made anew. */
    private int place(int block, int capacity) {
        int needed = Math.max(stride, capacity);
        if (needed > stride && block > 0) {
            int[] wider = new int[needed * AHEAD]; // a stream of larger blocks behind one of smaller ones
            for (int i = 0; i < block; i++) {
                for (int k = 0; k < sizes[i]; k++) {
                    int link = chain[i * stride + k];
                    wider[i * needed + k] = (link & 0xff) | (((link >>> 8) + i * (needed - stride)) << 8);
                }
                firsts[i] += i * (needed - stride);
            }
            chain = wider;
            bytes = new byte[wider.length];
        } else if (chain.length < needed * ahead) {
            chain = new int[needed * ahead];
            bytes = new byte[needed * ahead];
        }
        stride = needed;
        return block * stride;
    }

    /** Which bytes occur, into {@link #recent}; how many. */
    private int usedBytes() throws IOException {
        int rows = take(16);
        int used = 0;
        for (int row = 0; row < 16; row++) {
            if ((rows & 0x8000 >> row) != 0) {
                int columns = take(16);
                for (int column = 0; column < 16; column++) {
                    if ((columns & 0x8000 >> column) != 0) {
                        recent[used++] = (byte) (row << 4 | column);
                    }
                }
            }
        }
        if (used == 0) {
            throw new ZipException("bzip2: a block without bytes");
        }
        return used;
    }

    /** Which table each fifty codes are of, as moves to the front. */
    private int readSelectors(int groups) throws IOException {
        int count = take(15);
        if (count == 0) {
            throw new ZipException("bzip2: a block without codes");
        }
        byte[] order = {0, 1, 2, 3, 4, 5};
        for (int i = 0; i < count; i++) {
            int move = 0;
            while (take(1) != 0) {
                if (++move >= groups) {
                    throw new ZipException("bzip2: a table of codes that is not there");
                }
            }
            byte table = order[move];
            System.arraycopy(order, 0, order, 1, move);
            order[0] = table;
            if (i < MAX_SELECTORS) { // some compressors write more than a block can need
                selectors[i] = table;
            }
        }
        return Math.min(count, MAX_SELECTORS);
    }

    private void readCodes(int groups, int symbols) throws IOException {
        for (int group = 0; group < groups; group++) {
            int length = take(5);
            for (int symbol = 0; symbol < symbols; symbol++) {
                while (true) {
                    if (length < 1 || length > MAX_LENGTH) {
                        throw new ZipException("bzip2: a code of " + length + " bits");
                    }
                    if (take(1) == 0) {
                        break;
                    }
                    length += take(1) == 0 ? 1 : -1;
                }
                lengths[group][symbol] = (byte) length;
            }
            makeTable(group, symbols);
        }
    }

    /** Canonical codes: short ones by a table of their first bits, long ones by the largest code of each length. */
    private void makeTable(int group, int symbols) {
        byte[] length = lengths[group];
        int[] perLength = new int[MAX_LENGTH + 2];
        for (int symbol = 0; symbol < symbols; symbol++) {
            perLength[length[symbol]]++;
        }
        int[] limit = limits[group];
        int[] base = bases[group];
        short[] order = sorted[group];
        short[] lookup = lookups[group];
        Arrays.fill(lookup, (short) 0);
        int code = 0;
        int index = 0;
        for (int n = 1; n <= MAX_LENGTH; n++) {
            base[n] = index - code;
            for (int symbol = 0; perLength[n] > 0 && symbol < symbols; symbol++) {
                if (length[symbol] == n) {
                    order[index] = (short) symbol;
                    if (n <= LOOKUP_BITS && code < 1 << n) { // lengths that lie may promise more codes than there are
                        int from = code << (LOOKUP_BITS - n);
                        Arrays.fill(lookup, from, from + (1 << (LOOKUP_BITS - n)), (short) ((symbol << 5) | n));
                    }
                    index++;
                    code++;
                }
            }
            limit[n] = code; // codes of this length are below
            code <<= 1;
        }
    }

    /** The bytes before the chain, into its lowest eight bits; how many. */
    private int readSymbols(int from, int capacity, int endOfBlock, int selectorCount) throws IOException {
        Arrays.fill(counts, 0);
        byte[] front = recent;
        int[] to = chain;
        int count = 0;
        long runLength = 0;
        int runBit = 0;
        long b = bits;
        int here = bitCount;
        for (int group = 0; group < selectorCount; group++) {
            int table = selectors[group];
            short[] lookup = lookups[table];
            for (int i = 0; i < GROUP; i++) {
                if (here < MAX_LENGTH) {
                    if (inputEnd - inputAt >= Long.BYTES) {
                        b |= (long) LONG.get(input, inputAt) >>> here;
                        int whole = (63 - here) >>> 3;
                        inputAt += whole;
                        here += whole << 3;
                    } else {
                        bits = b;
                        bitCount = here;
                        need(MAX_LENGTH);
                        b = bits;
                        here = bitCount;
                    }
                }
                int entry = lookup[(int) (b >>> (64 - LOOKUP_BITS))];
                if (entry == 0) {
                    entry = longCode(table, b);
                }
                int symbol = entry >>> 5;
                int length = entry & 31;
                if (length > here) {
                    throw new EOFException("bzip2: the stream ends too early");
                }
                b <<= length;
                here -= length;
                if (symbol <= 1) { // the digits 1 and 2 of the length of a run, lowest first
                    runLength += (long) (symbol + 1) << runBit++;
                    if (runLength > capacity - count) {
                        throw new ZipException("bzip2: a block of more than " + capacity + " bytes");
                    }
                    continue;
                }
                if (runBit > 0) {
                    int end = count + (int) runLength;
                    Arrays.fill(to, from + count, from + end, front[0] & 0xff);
                    counts[front[0] & 0xff] += (int) runLength;
                    count = end;
                    runLength = 0;
                    runBit = 0;
                }
                if (symbol == endOfBlock) {
                    bits = b;
                    bitCount = here;
                    return count;
                }
                if (count == capacity) {
                    throw new ZipException("bzip2: a block of more than " + capacity + " bytes");
                }
                int at = symbol - 1;
                byte value = front[at];
                if (at < 16) {
                    for (int k = at; k > 0; k--) {
                        front[k] = front[k - 1];
                    }
                } else {
                    System.arraycopy(front, 0, front, 1, at);
                }
                front[0] = value;
                counts[value & 0xff]++;
                to[from + count++] = value & 0xff;
            }
        }
        throw new ZipException("bzip2: a block that does not end");
    }

    /** A symbol and the length of its code, which the next bits begin with. */
    private int longCode(int table, long next) throws IOException {
        int[] limit = limits[table];
        for (int n = 1; n <= MAX_LENGTH; n++) {
            int code = (int) (next >>> (64 - n));
            int index = code + bases[table][n];
            if (code < limit[n] && index >= 0) {
                return (sorted[table][index] << 5) | n;
            }
        }
        throw new ZipException("bzip2: bits that are no code");
    }

    /**
     * Follows the chains of the blocks in turn, all as far as the longest: a shorter one comes round again, and what it
     * writes then is behind its block. A chain that is missing is the first once more.
     */
    private void follow() {
        int steps = 0;
        for (int block = 0; block < blockCount; block++) {
            steps = Math.max(steps, sizes[block]);
        }
        if (blockCount > 4) {
            eight(steps);
        } else if (blockCount > 1) {
            four(steps);
        } else if (blockCount == 1) {
            one(steps);
        }
    }

    private int lane(int block) {
        return block < blockCount ? block : 0;
    }

    private void eight(int steps) {
        int[] links = chain;
        byte[] to = bytes;
        int a = firsts[0];
        int b = firsts[lane(1)];
        int c = firsts[lane(2)];
        int d = firsts[lane(3)];
        int e = firsts[lane(4)];
        int f = firsts[lane(5)];
        int g = firsts[lane(6)];
        int h = firsts[lane(7)];
        int toB = lane(1) * stride;
        int toC = lane(2) * stride;
        int toD = lane(3) * stride;
        int toE = lane(4) * stride;
        int toF = lane(5) * stride;
        int toG = lane(6) * stride;
        int toH = lane(7) * stride;
        for (int i = 0; i < steps; i++) {
            a = links[a];
            b = links[b];
            c = links[c];
            d = links[d];
            e = links[e];
            f = links[f];
            g = links[g];
            h = links[h];
            to[i] = (byte) a;
            to[toB + i] = (byte) b;
            to[toC + i] = (byte) c;
            to[toD + i] = (byte) d;
            to[toE + i] = (byte) e;
            to[toF + i] = (byte) f;
            to[toG + i] = (byte) g;
            to[toH + i] = (byte) h;
            a >>>= 8;
            b >>>= 8;
            c >>>= 8;
            d >>>= 8;
            e >>>= 8;
            f >>>= 8;
            g >>>= 8;
            h >>>= 8;
        }
    }

    private void four(int steps) {
        int[] links = chain;
        byte[] to = bytes;
        int a = firsts[0];
        int b = firsts[lane(1)];
        int c = firsts[lane(2)];
        int d = firsts[lane(3)];
        int toB = lane(1) * stride;
        int toC = lane(2) * stride;
        int toD = lane(3) * stride;
        for (int i = 0; i < steps; i++) {
            a = links[a];
            b = links[b];
            c = links[c];
            d = links[d];
            to[i] = (byte) a;
            to[toB + i] = (byte) b;
            to[toC + i] = (byte) c;
            to[toD + i] = (byte) d;
            a >>>= 8;
            b >>>= 8;
            c >>>= 8;
            d >>>= 8;
        }
    }

    private void one(int steps) {
        int[] links = chain;
        byte[] to = bytes;
        int link = firsts[0];
        for (int i = 0; i < steps; i++) {
            int entry = links[link];
            to[i] = (byte) entry;
            link = entry >>> 8;
        }
    }

    // ---- Bits -----------------------------------------------------------------------------------------------------

    /** The next bits as a number, at most 24. */
    private int take(int n) throws IOException {
        if (n == 0) {
            return 0;
        }
        need(n);
        int value = (int) (bits >>> (64 - n));
        drop(n);
        return value;
    }

    private void drop(int n) throws IOException {
        if (n > bitCount) {
            throw new EOFException("bzip2: the stream ends too early");
        }
        bits <<= n;
        bitCount -= n;
    }

    /** Makes so many bits be there, at the end of the input fewer (zeros follow them). */
    private void need(int n) throws IOException {
        while (bitCount < n) {
            if (inputAt == inputEnd && !fill()) {
                return;
            }
            do {
                bits |= (input[inputAt++] & 0xffL) << (56 - bitCount);
                bitCount += 8;
            } while (bitCount <= 56 && inputAt < inputEnd);
        }
    }

    private boolean fill() throws IOException {
        if (ended) {
            return false;
        }
        inputAt = 0;
        inputEnd = Math.max(0, in.read(input, 0, input.length));
        ended = inputEnd == 0;
        return !ended;
    }
}
