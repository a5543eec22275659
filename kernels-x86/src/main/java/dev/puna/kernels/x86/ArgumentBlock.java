package dev.puna.kernels.x86;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The pointers and lengths of one call of a kernel, and the call. One thread uses a block at a time. */
final class ArgumentBlock {
    static final int SLOTS = 32;

    /** {@code void kernel(long* arguments)}; the first parameter is the kernel's address. Made when a block is. */
    private static final class Call {
        static final MethodHandle HANDLE = callHandle();

        private Call() {}
    }

    private final MemorySegment memory;

    ArgumentBlock(Arena owner) {
        this.memory = owner.allocate(SLOTS * Long.BYTES, 64);
    }

    ArgumentBlock set(int slot, long value) {
        memory.setAtIndex(JAVA_LONG, slot, value);
        return this;
    }

    /** An fp32 argument, in the low half of its slot. */
    ArgumentBlock set(int slot, float value) {
        return set(slot, Integer.toUnsignedLong(Float.floatToRawIntBits(value)));
    }

    void call(MemorySegment kernel) {
        try {
            Call.HANDLE.invokeExact(kernel, memory);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("a kernel cannot throw", e);
        }
    }

    /** Whether Java lets this module call native code at all. */
    static boolean mayCall() {
        try {
            callHandle();
            return true;
        } catch (IllegalCallerException e) {
            return false;
        }
    }

    @SuppressWarnings("restricted")
    private static MethodHandle callHandle() {
        return Linker.nativeLinker().downcallHandle(FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
    }
}
