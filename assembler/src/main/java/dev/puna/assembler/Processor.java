package dev.puna.assembler;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The processor that this program runs on, as it describes itself through {@code cpuid}, less what the operating system
 * does not save on a context switch ({@code xgetbv}).
 *
 * @param vendor for example GenuineIntel or AuthenticAMD
 * @param brand the name that its maker prints on it
 * @param features what can be used here and now; AMX tiles only after {@link #requestTiles}
 * @param caches data and unified caches, the nearest first
 */
public record Processor(String vendor, String brand, Set<Feature> features, List<Cache> caches) implements Detection {

    /**
     * A data or unified cache.
     *
     * @param level 1 is the nearest
     * @param bytes its size
     * @param sharedBy how many hardware threads share it at most
     * @param lineBytes bytes per line
     */
    public record Cache(int level, long bytes, int sharedBy, int lineBytes) {}

    public Processor {
        features = Set.copyOf(features);
        caches = List.copyOf(caches);
    }

    /** Whether code that needs these features runs here. */
    public boolean supports(Collection<Feature> needed) {
        return features.containsAll(needed);
    }

    /** What is missing for code that needs these features; empty if it runs here. */
    public Set<Feature> missing(Collection<Feature> needed) {
        EnumSet<Feature> missing = EnumSet.noneOf(Feature.class);
        missing.addAll(needed);
        missing.removeAll(features);
        return missing;
    }

    /** Size of the data cache of that level in bytes, or 0 if there is none. */
    public long cacheBytes(int level) {
        for (Cache cache : caches) {
            if (cache.level == level) {
                return cache.bytes;
            }
        }
        return 0;
    }

    /** Asks the processor. */
    public static Detection detect() {
        Code cpuid = cpuidStub();
        Code xgetbv = xgetbvStub();
        try (Arena arena = Arena.ofConfined()) {
            return switch (ExecutableMemory.map(arena, cpuid, xgetbv)) {
                case Refusal refusal -> refusal;
                case ExecutableMemory memory ->
                    new Questions(
                                    memory.function(cpuid, FunctionDescriptor.ofVoid(JAVA_INT, JAVA_INT, ADDRESS)),
                                    memory.function(xgetbv, FunctionDescriptor.ofVoid(JAVA_INT, JAVA_INT, ADDRESS)),
                                    arena.allocate(JAVA_INT, 4))
                            .processor();
            };
        }
    }

    /**
     * Asks the operating system to let this process use AMX tiles; call it before threads that use them start.
     *
     * @return empty if granted, else why not
     */
    public Optional<Refusal> requestTiles() {
        if (!features.contains(Feature.AMXTILE)) {
            return Optional.of(new Refusal("this processor or its operating system has no AMX tiles"));
        }
        try {
            SystemCalls.bind().requestTiles();
            return Optional.empty();
        } catch (SystemCallException e) {
            return Optional.of(new Refusal(e.reason()));
        }
    }

    /** {@code void cpuid(int leaf, int subleaf, int[4] out)}: eax, ebx, ecx, edx. */
    private static Code cpuidStub() {
        Assembler a = new Assembler();
        a.push(Gp64.RBX);
        a.mov(Gp64.R8, Gp64.RDX);
        a.mov(Gp32.EAX, Gp32.EDI);
        a.mov(Gp32.ECX, Gp32.ESI);
        a.cpuid();
        a.mov(Memory.at(Gp64.R8), Gp32.EAX);
        a.mov(Memory.at(Gp64.R8, 4), Gp32.EBX);
        a.mov(Memory.at(Gp64.R8, 8), Gp32.ECX);
        a.mov(Memory.at(Gp64.R8, 12), Gp32.EDX);
        a.pop(Gp64.RBX);
        a.ret();
        return a.assemble();
    }

    /** {@code void xgetbv(int, int, int[2] out)}: XCR0, of the same signature so that the linker makes one of both. */
    private static Code xgetbvStub() {
        Assembler a = new Assembler();
        a.mov(Gp64.R8, Gp64.RDX);
        a.xor(Gp32.ECX, Gp32.ECX);
        a.xgetbv();
        a.mov(Memory.at(Gp64.R8), Gp32.EAX);
        a.mov(Memory.at(Gp64.R8, 4), Gp32.EDX);
        a.ret();
        return a.assemble();
    }

    /** The two stubs, and where answers are written. */
    private record Questions(MethodHandle cpuid, MethodHandle xgetbv, MemorySegment answer) {
        private static final int XCR0_XMM_YMM = 0x6;
        private static final int XCR0_ZMM = 0xE6;
        private static final int XCR0_TILES = 0x6_0000;
        private static final int EXTENDED = 0x8000_0000;

        int[] ask(int leaf, int subleaf) {
            call(cpuid, leaf, subleaf);
            return answer.toArray(JAVA_INT);
        }

        int enabledState() {
            call(xgetbv, 0, 0);
            return answer.get(JAVA_INT, 0);
        }

        private void call(MethodHandle stub, int leaf, int subleaf) {
            try {
                stub.invokeExact(leaf, subleaf, answer);
            } catch (RuntimeException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IllegalStateException(e);
            }
        }

        Processor processor() {
            int[] first = ask(0, 0);
            String vendor = text(first[1]) + text(first[3]) + text(first[2]);
            int highest = first[0];
            int highestExtended = ask(EXTENDED, 0)[0];
            StringBuilder brand = new StringBuilder();
            if (Integer.compareUnsigned(highestExtended, EXTENDED + 4) >= 0) {
                for (int leaf = EXTENDED + 2; leaf <= EXTENDED + 4; leaf++) {
                    for (int part : ask(leaf, 0)) {
                        brand.append(text(part));
                    }
                }
            }
            boolean amd = vendor.equals("AuthenticAMD") || vendor.equals("HygonGenuine");
            return new Processor(
                    vendor,
                    brand.toString().trim(),
                    features(highest),
                    caches(amd ? EXTENDED + 0x1D : 4, amd ? highestExtended : highest));
        }

        private static String text(int register) {
            byte[] bytes = {(byte) register, (byte) (register >> 8), (byte) (register >> 16), (byte) (register >> 24)};
            return new String(bytes, StandardCharsets.US_ASCII).replace("\0", "");
        }

        /** Bits as in Intel's manual, volume 2, CPUID. */
        private Set<Feature> features(int highest) {
            EnumSet<Feature> features = EnumSet.of(Feature.BASE);
            int[] one = ask(1, 0);
            int[] seven = highest >= 7 ? ask(7, 0) : new int[4];
            int[] sevenOne = highest >= 7 && seven[0] >= 1 ? ask(7, 1) : new int[4];
            boolean savesState = bit(one[2], 27);
            int state = savesState ? enabledState() : 0;
            boolean ymm = (state & XCR0_XMM_YMM) == XCR0_XMM_YMM;
            boolean zmm = (state & XCR0_ZMM) == XCR0_ZMM;
            boolean tiles = (state & XCR0_TILES) == XCR0_TILES;
            add(features, Feature.POPCNT, bit(one[2], 23));
            add(features, Feature.BMI1, bit(seven[1], 3));
            add(features, Feature.BMI2, bit(seven[1], 8));
            add(features, Feature.GFNI, bit(seven[2], 8));
            add(features, Feature.AVX, ymm && bit(one[2], 28));
            add(features, Feature.FMA, ymm && bit(one[2], 12));
            add(features, Feature.F16C, ymm && bit(one[2], 29));
            add(features, Feature.AVX2, ymm && bit(seven[1], 5));
            add(features, Feature.AVXVNNI, ymm && bit(sevenOne[0], 4));
            if (zmm && bit(seven[1], 16)) {
                features.add(Feature.AVX512F);
                add(features, Feature.AVX512DQ, bit(seven[1], 17));
                add(features, Feature.AVX512BW, bit(seven[1], 30));
                add(features, Feature.AVX512VL, bit(seven[1], 31));
                add(features, Feature.AVX512VBMI, bit(seven[2], 1));
                add(features, Feature.AVX512VBMI2, bit(seven[2], 6));
                add(features, Feature.AVX512VNNI, bit(seven[2], 11));
                add(features, Feature.AVX512BITALG, bit(seven[2], 12));
                add(features, Feature.AVX512FP16, bit(seven[3], 23));
                add(features, Feature.AVX512BF16, bit(sevenOne[0], 5));
            }
            if (tiles && bit(seven[3], 24)) {
                features.add(Feature.AMXTILE);
                add(features, Feature.AMXBF16, bit(seven[3], 22));
                add(features, Feature.AMXINT8, bit(seven[3], 25));
            }
            return features;
        }

        private static void add(Set<Feature> features, Feature feature, boolean present) {
            if (present) {
                features.add(feature);
            }
        }

        private static boolean bit(int register, int number) {
            return ((register >>> number) & 1) != 0;
        }

        /** Deterministic cache parameters: leaf 4 at Intel, 0x8000001D at AMD, one subleaf per cache, same layout. */
        private List<Cache> caches(int leaf, int highest) {
            List<Cache> caches = new ArrayList<>();
            if (Integer.compareUnsigned(highest, leaf) < 0) {
                return caches;
            }
            for (int subleaf = 0; subleaf < 16; subleaf++) {
                int[] cache = ask(leaf, subleaf);
                int type = cache[0] & 31;
                if (type == 0) {
                    break;
                }
                boolean holdsData = type == 1 || type == 3;
                if (holdsData) {
                    int ways = (cache[1] >>> 22) + 1;
                    int partitions = ((cache[1] >>> 12) & 0x3FF) + 1;
                    int line = (cache[1] & 0xFFF) + 1;
                    long sets = (cache[2] & 0xFFFF_FFFFL) + 1;
                    int sharedBy = ((cache[0] >>> 14) & 0xFFF) + 1;
                    caches.add(new Cache((cache[0] >>> 5) & 7, sets * ways * partitions * line, sharedBy, line));
                }
            }
            return caches;
        }
    }
}
