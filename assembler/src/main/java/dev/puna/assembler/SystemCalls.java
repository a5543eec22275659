package dev.puna.assembler;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.util.Locale;

/**
 * The C library's functions that executable memory takes, on Linux and macOS for x86-64. All are bound with one and the
 * same signature of six 64-bit arguments, since the linker spends tens of milliseconds on each new one: System V passes
 * six integers in registers, where a callee with fewer or narrower parameters does not look at the rest.
 *
 * @param mmap {@code void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)}
 * @param mprotect {@code int mprotect(void *addr, size_t length, int prot)}
 * @param munmap {@code int munmap(void *addr, size_t length)}
 * @param syscall {@code long syscall(long number, ...)}
 * @param linux whether this is Linux, else it is macOS
 */
@SuppressWarnings("restricted")
record SystemCalls(MethodHandle mmap, MethodHandle mprotect, MethodHandle munmap, MethodHandle syscall, boolean linux) {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS_LINUX = 0x20;
    private static final int MAP_ANON_MACOS = 0x1000;

    private static final long SYS_ARCH_PRCTL = 158;
    private static final long ARCH_REQ_XCOMP_PERM = 0x1023;
    private static final long XFEATURE_XTILEDATA = 18;

    private static final long LONGEST_MESSAGE = 256;
    private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
    private static final FunctionDescriptor SIX_LONGS =
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    /**
     * Finds them.
     *
     * @throws SystemCallException on other systems and processors, or where this module may not call native code
     */
    static SystemCalls bind() throws SystemCallException {
        String system = System.getProperty("os.name");
        String architecture = System.getProperty("os.arch");
        if (!architecture.equals("amd64") && !architecture.equals("x86_64")) {
            throw new SystemCallException("assembled code needs an x86-64 processor, this is " + architecture);
        }
        boolean linux = system.toLowerCase(Locale.ROOT).startsWith("linux");
        if (!linux && !system.startsWith("Mac")) {
            throw new SystemCallException(
                    "assembled code follows the System V calling convention, " + system + " does not");
        }
        try {
            Linker linker = Linker.nativeLinker();
            return new SystemCalls(
                    bind(linker, "mmap"),
                    bind(linker, "mprotect"),
                    bind(linker, "munmap"),
                    bind(linker, "syscall"),
                    linux);
        } catch (IllegalCallerException e) {
            throw new SystemCallException("native access is denied to the assembler (" + e.getMessage()
                    + "); start Java with --enable-native-access");
        }
    }

    private static MethodHandle bind(Linker linker, String name) throws SystemCallException {
        return linker.downcallHandle(find(linker, name), SIX_LONGS, Linker.Option.captureCallState("errno"));
    }

    private static MemorySegment find(Linker linker, String name) throws SystemCallException {
        return linker.defaultLookup()
                .find(name)
                .orElseThrow(() -> new SystemCallException("the C library has no function " + name));
    }

    /** Fresh zeroed memory, readable and writable, unmapped when its owner closes. */
    MemorySegment mapWritable(long size, Arena owner) throws SystemCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(CALL_STATE);
            long flags = MAP_PRIVATE | (linux ? MAP_ANONYMOUS_LINUX : MAP_ANON_MACOS);
            long address = (long) mmap.invokeExact(state, 0L, size, (long) (PROT_READ | PROT_WRITE), flags, -1L, 0L);
            if (address == -1) {
                throw failure("mmap of " + size + " bytes", state);
            }
            return MemorySegment.ofAddress(address).reinterpret(size, owner, this::unmap);
        } catch (Throwable e) {
            throw propagate(e);
        }
    }

    /** From now on it can be executed and read, and no longer written. */
    void makeExecutable(MemorySegment memory) throws SystemCallException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(CALL_STATE);
            long status = (long) mprotect.invokeExact(
                    state, memory.address(), memory.byteSize(), (long) (PROT_READ | PROT_EXEC), 0L, 0L, 0L);
            if ((int) status != 0) {
                throw failure("mprotect to read and execute", state);
            }
        } catch (Throwable e) {
            throw propagate(e);
        }
    }

    private void unmap(MemorySegment memory) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(CALL_STATE);
            long status = (long) munmap.invokeExact(state, memory.address(), memory.byteSize(), 0L, 0L, 0L, 0L);
            if ((int) status != 0) {
                throw new IllegalStateException("munmap failed on memory that mmap gave");
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Asks Linux to let this process use AMX tiles (threads started later inherit it). */
    void requestTiles() throws SystemCallException {
        if (!linux) {
            throw new SystemCallException("AMX tiles are requested through arch_prctl, which only Linux has");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(CALL_STATE);
            long status = (long)
                    syscall.invokeExact(state, SYS_ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA, 0L, 0L, 0L);
            if (status != 0) {
                throw failure("arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA)", state);
            }
        } catch (Throwable e) {
            throw propagate(e);
        }
    }

    private static SystemCallException failure(String call, MemorySegment state) throws Throwable {
        int errno = state.get(JAVA_INT, CALL_STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno")));
        Linker linker = Linker.nativeLinker();
        MethodHandle strerror =
                linker.downcallHandle(find(linker, "strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));
        MemorySegment message = (MemorySegment) strerror.invokeExact(errno);
        return new SystemCallException(
                call + " failed: " + message.reinterpret(LONGEST_MESSAGE).getString(0));
    }

    /** What {@code MethodHandle.invokeExact} declares but these handles do not throw. */
    private static SystemCallException propagate(Throwable thrown) {
        return switch (thrown) {
            case SystemCallException e -> e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(thrown);
        };
    }
}
