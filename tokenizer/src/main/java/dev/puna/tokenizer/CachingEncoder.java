package dev.puna.tokenizer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The part of an encoder that turns a stretch of text into ids: from a cache, else by merging and into the cache.
 *
 * <p>A slot of the cache is four longs. Stretches of up to 15 bytes are their own key: bytes 0–7, then bytes 8–14 with
 * the length in the top byte; longer ones (to {@link #LONGEST_CACHED}) have their hash as the first and a place in a
 * pool of bytes as the second. The value is up to six ids of 21 bits, each plus one, or a place in a pool of ids. The
 * tables grow with use and are emptied as a whole when full: a corpus refills them faster than bookkeeping would pay.
 */
abstract class CachingEncoder implements Encoder {
    private static final int LONGEST_CACHED = 255;
    private static final int FIRST_SLOTS = 1 << 10;
    private static final int MOST_SLOTS = 1 << 17;
    private static final int MOST_POOLED_BYTES = 1 << 21;
    private static final int MOST_POOLED_IDS = 1 << 20;
    private static final int ID_BITS = 21;
    private static final long ID_MASK = (1L << ID_BITS) - 1;
    private static final int[] NO_IDS = {};
    private static final long POOLED = Long.MIN_VALUE;

    private long[] slots = new long[4 * FIRST_SLOTS];
    private int shift = 64 - 10;
    private int used;
    private byte[] pooledBytes = new byte[1 << 10];
    private int pooledByteCount;
    private int[] pooledIds = new int[1 << 8];
    private int pooledIdCount;

    /** Where ids go while a text is encoded; always with room for eight more. */
    int[] ids = NO_IDS;

    /** How many ids are there. */
    int size;

    private int[] fresh = new int[64];
    private int freshCount;
    private final boolean packs;

    CachingEncoder(int vocabularySize) {
        packs = vocabularySize < ID_MASK;
    }

    private byte[] text = new byte[256];
    private int textSize;
    private final char[] block = new char[2048];

    /** Whether a malformed sequence becomes one U+FFFD for each of its bytes, or one in all. */
    abstract boolean replacesEachByte();

    /** Encodes {@link #text()}. */
    abstract void encode(EncodeOptions options, TokenBuffer out);

    @Override
    public final void encode(String string, EncodeOptions options, TokenBuffer out) {
        load(string);
        encode(options, out);
    }

    @Override
    public final void encode(byte[] utf8, int from, int to, EncodeOptions options, TokenBuffer out) {
        load(utf8, from, to);
        encode(options, out);
    }

    @Override
    public final void encode(MemorySegment utf8, EncodeOptions options, TokenBuffer out) {
        load(utf8);
        encode(options, out);
    }

    /** The text of this call, well-formed and padded. */
    final byte[] text() {
        return text;
    }

    final int textSize() {
        return textSize;
    }

    /** Room for a text of so many bytes. */
    private void roomForText(long bytes) {
        if (bytes > Integer.MAX_VALUE - 128) {
            throw new IllegalArgumentException("a text of " + bytes + " bytes: encode it in parts below 2 GiB");
        }
        if (text.length < bytes + Words.PADDING || (text.length > 1 << 24 && bytes < 1 << 22)) {
            text = new byte[(int) Math.min(Integer.MAX_VALUE - 64, bytes + (bytes >> 3) + 64)];
        }
    }

    private void load(String string) {
        roomForText(3L * string.length());
        textSize = Utf8.append(string, block, text, 0);
    }

    private void load(byte[] utf8, int from, int to) {
        java.util.Objects.checkFromToIndex(from, to, utf8.length);
        roomForText(to - from);
        System.arraycopy(utf8, from, text, 0, to - from);
        textSize = to - from;
        repair();
    }

    private void load(MemorySegment utf8) {
        roomForText(utf8.byteSize());
        textSize = (int) utf8.byteSize();
        MemorySegment.copy(utf8, ValueLayout.JAVA_BYTE, 0, text, 0, textSize);
        repair();
    }

    /** Makes the text well-formed; as good as always it is. */
    private void repair() {
        int at = 0;
        int end = textSize;
        while (at < end) {
            if (end - at >= 8 && (Words.at(text, at) & 0x8080808080808080L) == 0) {
                at += 8;
                continue;
            }
            int length = Utf8.characterLength(text, at, end);
            if (length < 0) {
                repairFrom(at);
                return;
            }
            at += length;
        }
    }

    private void repairFrom(int good) {
        byte[] malformed = text;
        int end = textSize;
        text = new byte[good + 64];
        roomForText(good + 3L * (end - good));
        System.arraycopy(malformed, 0, text, 0, good);
        int size = good;
        int at = good;
        while (at < end) {
            int length = Utf8.characterLength(malformed, at, end);
            if (length > 0) {
                System.arraycopy(malformed, at, text, size, length);
                size += length;
                at += length;
            } else {
                size = Utf8.appendReplacement(text, size);
                at += replacesEachByte() ? 1 : -length;
            }
        }
        textSize = size;
    }

    final void begin(TokenBuffer out) {
        ids = out.reserve(16);
        size = out.size();
    }

    final void finish(TokenBuffer out) {
        out.adopt(ids, size);
        ids = NO_IDS;
    }

    final void add(int id) {
        room(1);
        ids[size++] = id;
    }

    /** Merges a stretch that is not in the cache; gives its ids to {@link #fresh(int)}. */
    abstract void merge(byte[] text, int from, int to);

    final void fresh(int id) {
        if (freshCount == fresh.length) {
            fresh = Arrays.copyOf(fresh, 2 * freshCount);
        }
        fresh[freshCount++] = id;
    }

    /** Makes room for at least {@code more} further ids and eight. */
    final void room(int more) {
        if (ids.length - size < more + 8L) {
            long capacity = Math.max((long) size + more + 8, size + (size >> 1) + 1024L);
            if ((long) size + more + 8 > Integer.MAX_VALUE - 64) {
                throw new IllegalStateException("more than 2^31 tokens in one text: encode in smaller parts");
            }
            ids = Arrays.copyOf(ids, (int) Math.min(capacity, Integer.MAX_VALUE - 64));
        }
    }

    /** Appends the ids of a stretch of at least one byte. The text must be padded. */
    final void emit(byte[] text, int from, int to) {
        int length = to - from;
        if (ids.length - size < 8) {
            room(8);
        }
        if (length > 15) {
            emitLong(text, from, to);
            return;
        }
        long low;
        long high = (long) length << 56;
        if (length <= 8) {
            low = Words.at(text, from) & (-1L >>> (64 - 8 * length));
        } else {
            low = Words.at(text, from);
            high |= Words.at(text, from + 8) & (-1L >>> (128 - 8 * length));
        }
        long[] entries = slots;
        int mask = entries.length - 1;
        int slot = (int) (hash(low, high) >>> shift) << 2;
        while (true) {
            long key = entries[slot + 1];
            if (key == high && entries[slot] == low) {
                emitValue(entries[slot + 2], entries[slot + 3]);
                return;
            }
            if (key == 0) {
                break;
            }
            slot = (slot + 4) & mask;
        }
        mergeAndKeep(text, from, to, low, high);
    }

    private static long hash(long low, long high) {
        long h = (low ^ (high >>> 27) ^ high) * 0x9E3779B97F4A7C15L;
        return (h ^ (h >>> 32)) * 0xD6E8FEB86659FD93L;
    }

    private void emitValue(long first, long second) {
        int[] target = ids;
        int at = size;
        if (first >= 0) {
            target[at] = (int) (first & ID_MASK) - 1;
            target[at + 1] = (int) (first >>> ID_BITS & ID_MASK) - 1;
            target[at + 2] = (int) (first >>> (2 * ID_BITS)) - 1;
            at += 1 + (first >>> ID_BITS != 0 ? 1 : 0) + (first >>> (2 * ID_BITS) != 0 ? 1 : 0);
            if (second != 0) {
                target[at] = (int) (second & ID_MASK) - 1;
                target[at + 1] = (int) (second >>> ID_BITS & ID_MASK) - 1;
                target[at + 2] = (int) (second >>> (2 * ID_BITS)) - 1;
                at += 1 + (second >>> ID_BITS != 0 ? 1 : 0) + (second >>> (2 * ID_BITS) != 0 ? 1 : 0);
            }
            size = at;
        } else {
            int count = (int) second;
            room(count);
            System.arraycopy(pooledIds, (int) (second >>> 32), ids, size, count);
            size += count;
        }
    }

    private void emitLong(byte[] text, int from, int to) {
        int length = to - from;
        if (length > LONGEST_CACHED) {
            freshCount = 0;
            merge(text, from, to);
            emitFresh();
            return;
        }
        long low = Words.hash(text, from, to);
        long[] entries = slots;
        int mask = entries.length - 1;
        int slot = (int) (hash(low, POOLED) >>> shift) << 2;
        while (true) {
            long key = entries[slot + 1];
            if (key < 0
                    && entries[slot] == low
                    && (key & 0xFF) == length
                    && Words.equal(text, from, pooledBytes, (int) (key >>> 8), length)) {
                emitValue(entries[slot + 2], entries[slot + 3]);
                return;
            }
            if (key == 0) {
                break;
            }
            slot = (slot + 4) & mask;
        }
        mergeAndKeep(text, from, to, low, 0);
    }

    private void emitFresh() {
        room(freshCount);
        System.arraycopy(fresh, 0, ids, size, freshCount);
        size += freshCount;
    }

    private void mergeAndKeep(byte[] text, int from, int to, long low, long high) {
        freshCount = 0;
        merge(text, from, to);
        emitFresh();
        if (2 * used >= slots.length >> 2) {
            if (slots.length >> 2 < MOST_SLOTS) {
                growSlots();
            } else {
                empty();
            }
        }
        long first = 0;
        long second = 0;
        if (packs && freshCount <= 6) {
            for (int i = 0; i < freshCount; i++) {
                long id = fresh[i] + 1L;
                if (i < 3) {
                    first |= id << (ID_BITS * i);
                } else {
                    second |= id << (ID_BITS * (i - 3));
                }
            }
        } else {
            if (pooledIdCount + freshCount > MOST_POOLED_IDS) {
                empty();
            }
            if (pooledIdCount + freshCount > pooledIds.length) {
                pooledIds = Arrays.copyOf(pooledIds, Math.max(pooledIdCount + freshCount, 2 * pooledIds.length));
            }
            System.arraycopy(fresh, 0, pooledIds, pooledIdCount, freshCount);
            first = POOLED;
            second = (long) pooledIdCount << 32 | freshCount;
            pooledIdCount += freshCount;
        }
        long key = high;
        if (high == 0) {
            int length = to - from;
            if (pooledByteCount + length > MOST_POOLED_BYTES) {
                return;
            }
            if (pooledByteCount + length + Words.PADDING > pooledBytes.length) {
                pooledBytes = Arrays.copyOf(
                        pooledBytes, Math.max(pooledByteCount + length + Words.PADDING, 2 * pooledBytes.length));
            }
            System.arraycopy(text, from, pooledBytes, pooledByteCount, length);
            key = POOLED | (long) pooledByteCount << 8 | length;
            pooledByteCount += length;
        }
        put(slots, low, key, first, second);
        used++;
    }

    private void put(long[] entries, long low, long key, long first, long second) {
        int mask = entries.length - 1;
        int slot = (int) (hash(low, key < 0 ? POOLED : key) >>> shift) << 2;
        while (entries[slot + 1] != 0) {
            slot = (slot + 4) & mask;
        }
        entries[slot] = low;
        entries[slot + 1] = key;
        entries[slot + 2] = first;
        entries[slot + 3] = second;
    }

    private void growSlots() {
        long[] old = slots;
        slots = new long[2 * old.length];
        shift--;
        for (int slot = 0; slot < old.length; slot += 4) {
            if (old[slot + 1] != 0) {
                put(slots, old[slot], old[slot + 1], old[slot + 2], old[slot + 3]);
            }
        }
    }

    private void empty() {
        Arrays.fill(slots, 0);
        used = 0;
        pooledByteCount = 0;
        pooledIdCount = 0;
    }
}
