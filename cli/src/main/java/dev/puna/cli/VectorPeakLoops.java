package dev.puna.cli;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** The loops on the JDK's Vector API. Twelve chains: latency 4 on two ports needs eight, and sixteen registers hold them. */
record VectorPeakLoops() implements PeakLoops {
    private static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Long> L = LongVector.SPECIES_PREFERRED;
    private static final int CHAINS = 12;

    @Override
    public boolean multipliesAtFullWidth() {
        return true;
    }

    @Override
    public float multiplyAdd(long steps) {
        FloatVector m = FloatVector.broadcast(F, 0.999f);
        FloatVector s = FloatVector.broadcast(F, 0.001f);
        FloatVector a = FloatVector.zero(F);
        FloatVector b = a;
        FloatVector c = a;
        FloatVector d = a;
        FloatVector e = a;
        FloatVector f = a;
        FloatVector g = a;
        FloatVector h = a;
        FloatVector i = a;
        FloatVector j = a;
        FloatVector k = a;
        FloatVector l = a;
        for (long n = 0; n < steps; n++) {
            a = a.fma(m, s);
            b = b.fma(m, s);
            c = c.fma(m, s);
            d = d.fma(m, s);
            e = e.fma(m, s);
            f = f.fma(m, s);
            g = g.fma(m, s);
            h = h.fma(m, s);
            i = i.fma(m, s);
            j = j.fma(m, s);
            k = k.fma(m, s);
            l = l.fma(m, s);
        }
        FloatVector sum =
                a.add(b).add(c.add(d)).add(e.add(f).add(g.add(h))).add(i.add(j).add(k.add(l)));
        return sum.lane(0);
    }

    @Override
    public long flops(long steps) {
        return 2L * CHAINS * F.length() * steps;
    }

    @Override
    public long read(MemorySegment memory, long from, long to) {
        int width = L.vectorByteSize();
        LongVector a = LongVector.zero(L);
        LongVector b = a;
        LongVector c = a;
        LongVector d = a;
        for (long n = from; n < to; n += 4L * width) {
            a = a.lanewise(VectorOperators.XOR, at(memory, n));
            b = b.lanewise(VectorOperators.XOR, at(memory, n + width));
            c = c.lanewise(VectorOperators.XOR, at(memory, n + 2L * width));
            d = d.lanewise(VectorOperators.XOR, at(memory, n + 3L * width));
        }
        return a.lanewise(VectorOperators.XOR, b)
                .lanewise(VectorOperators.XOR, c)
                .lanewise(VectorOperators.XOR, d)
                .reduceLanes(VectorOperators.XOR);
    }

    private static LongVector at(MemorySegment memory, long offset) {
        return LongVector.fromMemorySegment(L, memory, offset, ByteOrder.LITTLE_ENDIAN);
    }
}
