package dev.puna.cli;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The two loops that nothing can beat: multiply-adds in registers, and reading memory. */
interface PeakLoops {
    /** Whether {@link #multiplyAdd} uses the processor's whole vectors. */
    boolean multipliesAtFullWidth();

    /** Independent chains of multiply-adds, enough of them to hide their latency. */
    float multiplyAdd(long steps);

    /** Floating-point operations in {@link #multiplyAdd}, a multiply-add being two. */
    long flops(long steps);

    /** Reads {@code [from, to)}, a multiple of 512 bytes, and folds it so that no read can be left out. */
    long read(MemorySegment memory, long from, long to);

    /** With the Vector API where the launcher has added it, else plain. */
    static PeakLoops forThisJvm() {
        return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent() ? new VectorPeakLoops() : new Plain();
    }

    /** Plain Java: reads as fast as eight independent chains do; multiplies without vectors. */
    record Plain() implements PeakLoops {
        @Override
        public boolean multipliesAtFullWidth() {
            return false;
        }

        @Override
        public float multiplyAdd(long steps) {
            float sum = 1;
            for (long i = 0; i < steps; i++) {
                sum = Math.fma(sum, 0.999f, 0.001f);
            }
            return sum;
        }

        @Override
        public long flops(long steps) {
            return 2 * steps;
        }

        @Override
        public long read(MemorySegment memory, long from, long to) {
            long a = 0;
            long b = 0;
            long c = 0;
            long d = 0;
            for (long i = from; i < to; i += 32) {
                a ^= memory.get(ValueLayout.JAVA_LONG_UNALIGNED, i);
                b ^= memory.get(ValueLayout.JAVA_LONG_UNALIGNED, i + 8);
                c ^= memory.get(ValueLayout.JAVA_LONG_UNALIGNED, i + 16);
                d ^= memory.get(ValueLayout.JAVA_LONG_UNALIGNED, i + 24);
            }
            return a ^ b ^ c ^ d;
        }
    }
}
