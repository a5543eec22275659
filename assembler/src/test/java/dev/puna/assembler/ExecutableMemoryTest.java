package dev.puna.assembler;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import org.junit.jupiter.api.Test;

class ExecutableMemoryTest {
    @Test
    void addsTwoNumbers() throws Throwable {
        Assembler a = new Assembler();
        a.lea(Gp64.RAX, Memory.at(Gp64.RDI, Gp64.RSI, 1));
        a.ret();
        Code code = a.assemble();
        try (Arena arena = Arena.ofConfined()) {
            ExecutableMemory memory = (ExecutableMemory) ExecutableMemory.map(arena, code);
            MethodHandle add = memory.function(code, FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
            assertThat((long) add.invokeExact(40L, 2L)).isEqualTo(42);
        }
    }
}
