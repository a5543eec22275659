package dev.puna.kernels;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorSpecies;

/** The loops of {@link MachinePeaks} on the Vector API. */
final class VectorPeaks {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final VectorSpecies<Long> L = LongVector.SPECIES_PREFERRED;
    private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
    private static final int BYTES = L.vectorByteSize();

    private VectorPeaks() {}

    static int width() {
        return F.vectorBitSize();
    }

    /** Exclusive or of all longs of memory whose size is a multiple of four vectors. */
    static long read(MemorySegment memory) {
        var a = LongVector.zero(L);
        var b = a;
        var c = a;
        var d = a;
        for (long i = 0; i < memory.byteSize(); i += 4L * BYTES) {
            a = a.add(LongVector.fromMemorySegment(L, memory, i, LE));
            b = b.add(LongVector.fromMemorySegment(L, memory, i + BYTES, LE));
            c = c.add(LongVector.fromMemorySegment(L, memory, i + 2L * BYTES, LE));
            d = d.add(LongVector.fromMemorySegment(L, memory, i + 3L * BYTES, LE));
        }
        return a.add(b).add(c.add(d)).lane(0);
    }

    /** Twelve independent chains of fused multiply-adds; returns how many operations that was. */
    static double multiplyAdd(int rounds, float[] seen, int at) {
        var x = FloatVector.broadcast(F, 0.999f);
        var y = FloatVector.broadcast(F, 0.001f);
        var a = FloatVector.zero(F);
        var b = a;
        var c = a;
        var d = a;
        var e = a;
        var f = a;
        var g = a;
        var h = a;
        var i = a;
        var j = a;
        var k = a;
        var l = a;
        for (int round = 0; round < rounds; round++) {
            a = a.fma(x, y);
            b = b.fma(x, y);
            c = c.fma(x, y);
            d = d.fma(x, y);
            e = e.fma(x, y);
            f = f.fma(x, y);
            g = g.fma(x, y);
            h = h.fma(x, y);
            i = i.fma(x, y);
            j = j.fma(x, y);
            k = k.fma(x, y);
            l = l.fma(x, y);
        }
        var sum = a.add(b)
                .add(c)
                .add(d)
                .add(e)
                .add(f)
                .add(g)
                .add(h)
                .add(i)
                .add(j)
                .add(k)
                .add(l);
        seen[at] += sum.lane(0);
        return 24.0 * F.length() * rounds;
    }
}
