package dev.puna.assembler;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;

/** What a test cannot do in its own process, because it must crash or runs under other flags. */
final class ExecutableMemoryProbe {
    private ExecutableMemoryProbe() {}

    private static final long SYS_PRCTL = 157;
    private static final long PR_SET_MDWE = 65;
    private static final long PR_MDWE_REFUSE_EXEC_GAIN = 1;

    /**
     * {@code call} calls a function, {@code write} writes into it first, {@code forbid} makes Linux (6.3 and later)
     * refuse to this process what hardened systems refuse to all: memory that becomes executable after it was writable.
     */
    @SuppressWarnings("restricted")
    static void main(String[] args) throws Throwable {
        if (args[0].equals("forbid")) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment state = arena.allocate(Linker.Option.captureStateLayout());
                long status = (long) SystemCalls.bind()
                        .syscall()
                        .invokeExact(state, SYS_PRCTL, PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0L, 0L, 0L);
                System.out.println(status == 0 ? "forbidden" : "cannot forbid");
            }
        }
        Assembler a = new Assembler();
        a.mov(Gp32.EAX, 42);
        a.ret();
        Code code = a.assemble();
        try (Arena arena = Arena.ofConfined()) {
            switch (ExecutableMemory.map(arena, code)) {
                case Refusal(String reason) -> System.out.println("refused: " + reason);
                case ExecutableMemory memory -> {
                    MemorySegment entry = memory.entry(code);
                    if (args[0].equals("write")) {
                        MemorySegment.ofAddress(entry.address())
                                .reinterpret(entry.byteSize())
                                .set(JAVA_BYTE, 0, (byte) 0x90);
                    }
                    int answer = (int) memory.function(code, FunctionDescriptor.of(JAVA_INT))
                            .invokeExact();
                    System.out.println("answer " + answer);
                }
            }
        }
        System.out.println("tiles: " + (Processor.detect() instanceof Processor p ? p.requestTiles() : "no processor"));
    }
}
