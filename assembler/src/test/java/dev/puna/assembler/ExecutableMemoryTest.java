package dev.puna.assembler;

import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RDI;
import static dev.puna.assembler.Gp64.RDX;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Vec.xmm;
import static dev.puna.assembler.Vec.ymm;
import static dev.puna.assembler.Vec.zmm;
import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExecutableMemoryTest {
    private static Code add() {
        Assembler a = new Assembler();
        a.lea(RAX, Memory.at(RDI, RSI, 1));
        a.ret();
        return a.assemble();
    }

    private static Processor processor() {
        assumeTrue(Processor.detect() instanceof Processor, "assembled code is refused here");
        return (Processor) Processor.detect();
    }

    private static ExecutableMemory map(Arena owner, Code... codes) {
        return switch (ExecutableMemory.map(owner, codes)) {
            case ExecutableMemory memory -> memory;
            case Refusal(String reason) -> throw new AssertionError(reason);
        };
    }

    @Test
    void addsTwoNumbers() throws Throwable {
        processor();
        Code code = add();
        try (Arena arena = Arena.ofConfined()) {
            ExecutableMemory memory = map(arena, code);
            FunctionDescriptor type = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG);
            MethodHandle plain = memory.function(code, type);
            MethodHandle critical = memory.function(code, type, Linker.Option.critical(false));
            assertThat((long) plain.invokeExact(40L, 2L)).isEqualTo(42);
            assertThat((long) critical.invokeExact(-40L, 2L)).isEqualTo(-38);
        }
    }

    /** Σ x·y over 16 lanes at a time and a masked rest, on the heap's own arrays through a critical call. */
    @Test
    void dotProductInAvx512() throws Throwable {
        Assembler a = new Assembler();
        Label loop = a.label("loop");
        Label rest = a.label("rest");
        a.vxorps(xmm(0), xmm(0), xmm(0));
        a.bind(loop);
        a.sub(RDX, 16);
        a.jl(rest);
        a.vmovups(zmm(1), Memory.at(RDI));
        a.vfmadd231ps(zmm(0), zmm(1), Memory.at(RSI));
        a.add(RDI, 64);
        a.add(RSI, 64);
        a.jmp(loop);
        a.bind(rest);
        a.add(RDX, 16);
        a.mov(RAX, -1);
        a.bzhi(RAX, RAX, RDX);
        a.kmovw(Mask.K1, Gp32.EAX);
        a.vmovups(zmm(1).maskz(Mask.K1), Memory.at(RDI));
        a.vfmadd231ps(zmm(0).mask(Mask.K1), zmm(1), Memory.at(RSI));
        a.vextractf64x4(ymm(1), zmm(0), 1);
        a.vaddps(ymm(0), ymm(0), ymm(1));
        a.vextractf128(xmm(1), ymm(0), 1);
        a.vaddps(xmm(0), xmm(0), xmm(1));
        a.vhaddps(xmm(0), xmm(0), xmm(0));
        a.vhaddps(xmm(0), xmm(0), xmm(0));
        a.vzeroupper();
        a.ret();
        Code code = a.assemble();
        assumeTrue(processor().supports(code.features()), "no AVX-512");
        try (Arena arena = Arena.ofConfined()) {
            MethodHandle dot = map(arena, code)
                    .function(
                            code,
                            FunctionDescriptor.of(JAVA_FLOAT, ADDRESS, ADDRESS, JAVA_LONG),
                            Linker.Option.critical(true));
            Random random = new Random(1);
            for (int n = 0; n <= 70; n++) {
                float[] x = new float[n];
                float[] y = new float[n];
                float expected = 0;
                for (int i = 0; i < n; i++) {
                    x[i] = random.nextInt(-9, 10);
                    y[i] = random.nextInt(-9, 10);
                    expected += x[i] * y[i];
                }
                assertThat((float) dot.invokeExact(MemorySegment.ofArray(x), MemorySegment.ofArray(y), (long) n))
                        .isEqualTo(expected);
            }
        }
    }

    /** int8: Σ u·s in AVX-512 VNNI and in VEX encoding, with the weights as a constant beside the code. */
    @Test
    void dotProductsOfBytes() throws Throwable {
        byte[] weights = new byte[64];
        new Random(2).nextBytes(weights);
        for (int bytes : new int[] {32, 64}) {
            Assembler a = new Assembler();
            Vec sum = Vec.of(bytes, 0);
            Vec x = Vec.of(bytes, 1);
            byte[] constant = Arrays.copyOf(weights, bytes);
            a.vpxor(xmm(0), xmm(0), xmm(0));
            a.vmovups(x, Memory.at(RDI));
            if (bytes == 64) {
                a.vpdpbusd(sum, x, a.constant(constant));
                a.vmovdqu32(Memory.at(RSI), sum);
            } else {
                a.vexVpdpbusd(sum, x, a.constant(constant));
                a.vmovdqu(Memory.at(RSI), sum);
            }
            a.vzeroupper();
            a.ret();
            Code code = a.assemble();
            if (!processor().supports(code.features())) {
                continue;
            }
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment activations = arena.allocate(64);
                MemorySegment sums = arena.allocate(64);
                for (int i = 0; i < 64; i++) {
                    activations.set(JAVA_BYTE, i, (byte) (255 - i));
                }
                map(arena, code)
                        .function(code, FunctionDescriptor.ofVoid(ADDRESS, ADDRESS))
                        .invokeExact(activations, sums);
                for (int lane = 0; lane < bytes / 4; lane++) {
                    int expected = 0;
                    for (int i = 4 * lane; i < 4 * lane + 4; i++) {
                        expected += (255 - i) * weights[i];
                    }
                    assertThat(sums.getAtIndex(JAVA_INT, lane)).isEqualTo(expected);
                }
            }
        }
    }

    /** C (16, 16) = A (16, 64) · B (64, 16) in one {@code tdpbusd}; B as rows of four k interleaved. */
    @Test
    void tileProductOfBytes() throws Throwable {
        Assembler a = new Assembler();
        a.ldtilecfg(Memory.at(RDI));
        a.mov(RAX, 64);
        a.tilezero(Tile.TMM0);
        a.tileloadd(Tile.TMM1, Memory.at(RSI, RAX, 1));
        a.tileloadd(Tile.TMM2, Memory.at(RDX, RAX, 1));
        a.tdpbusd(Tile.TMM0, Tile.TMM1, Tile.TMM2);
        a.tilestored(Memory.at(Gp64.RCX, RAX, 1), Tile.TMM0);
        a.tilerelease();
        a.ret();
        Code code = a.assemble();
        Processor processor = processor();
        assumeTrue(processor.supports(code.features()), "no AMX");
        assumeTrue(processor.requestTiles().isEmpty(), "AMX is not permitted");
        byte[] left = new byte[1024];
        byte[] right = new byte[1024];
        new Random(3).nextBytes(left);
        new Random(4).nextBytes(right);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment configuration = arena.allocate(64, 64);
            configuration.set(JAVA_BYTE, 0, (byte) 1);
            for (int tile = 0; tile < 3; tile++) {
                configuration.set(JAVA_BYTE, 16 + 2 * tile, (byte) 64);
                configuration.set(JAVA_BYTE, 48 + tile, (byte) 16);
            }
            MemorySegment x = arena.allocate(1024, 64).copyFrom(MemorySegment.ofArray(left));
            MemorySegment y = arena.allocate(1024, 64).copyFrom(MemorySegment.ofArray(right));
            MemorySegment product = arena.allocate(1024, 64);
            map(arena, code)
                    .function(code, FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, ADDRESS, ADDRESS))
                    .invokeExact(configuration, x, y, product);
            for (int row = 0; row < 16; row++) {
                for (int column = 0; column < 16; column++) {
                    int expected = 0;
                    for (int k = 0; k < 64; k++) {
                        expected += (left[64 * row + k] & 0xFF) * right[64 * (k / 4) + 4 * column + k % 4];
                    }
                    assertThat(product.getAtIndex(JAVA_INT, 16 * row + column)).isEqualTo(expected);
                }
            }
        }
    }

    /** Padding of every length is executed, and does nothing. */
    @Test
    void alignmentDoesNothing() throws Throwable {
        processor();
        for (int before = 1; before < 64; before++) {
            Assembler a = new Assembler();
            a.xor(Gp32.EAX, Gp32.EAX);
            for (int i = 0; i < before; i++) {
                a.nop();
            }
            a.align(64);
            a.add(RAX, RDI);
            a.ret();
            Code code = a.assemble();
            try (Arena arena = Arena.ofConfined()) {
                MethodHandle function = map(arena, code).function(code, FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
                assertThat((long) function.invokeExact(7L)).isEqualTo(7);
            }
        }
    }

    @Test
    void severalFunctionsShareTheMemory() throws Throwable {
        processor();
        Code add = add();
        Assembler a = new Assembler();
        a.mov(RAX, RDI);
        a.imul(RAX, RSI);
        a.ret();
        Code multiply = a.assemble();
        try (Arena arena = Arena.ofConfined()) {
            ExecutableMemory memory = map(arena, add, multiply);
            FunctionDescriptor type = FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG);
            assertThat((long) memory.function(add, type).invokeExact(6L, 7L)).isEqualTo(13);
            assertThat((long) memory.function(multiply, type).invokeExact(6L, 7L))
                    .isEqualTo(42);
            assertThat(memory.entry(multiply).address() % 64).isZero();
            assertThatIllegalArgumentException().isThrownBy(() -> memory.entry(add()));
        }
    }

    @Test
    void isExecutableAndNotWritable() throws IOException {
        processor();
        Code code = add();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment entry = map(arena, code).entry(code);
            assertThat(entry.isReadOnly()).isTrue();
            assertThat(entry.toArray(JAVA_BYTE)).isEqualTo(code.bytes());
            assertThatIllegalArgumentException().isThrownBy(() -> entry.set(JAVA_BYTE, 0, (byte) 0));
            assumeTrue(Files.exists(Path.of("/proc/self/maps")), "no /proc");
            assertThat(protection(entry.address())).isEqualTo("r-xp");
        }
    }

    @Test
    void endsWithItsOwner() throws IOException {
        processor();
        Code code = add();
        long address;
        MethodHandle function;
        try (Arena arena = Arena.ofConfined()) {
            ExecutableMemory memory = map(arena, code);
            address = memory.entry(code).address();
            function = memory.function(code, FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
        }
        assertThatIllegalStateException().isThrownBy(() -> function.invoke(1L, 2L));
        assumeTrue(Files.exists(Path.of("/proc/self/maps")), "no /proc");
        assertThat(protection(address)).doesNotContain("x");
    }

    private static String protection(long address) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> {
                        String[] range = line.substring(0, line.indexOf(' ')).split("-");
                        return Long.compareUnsigned(Long.parseUnsignedLong(range[0], 16), address) <= 0
                                && Long.compareUnsigned(address, Long.parseUnsignedLong(range[1], 16)) < 0;
                    })
                    .map(line -> line.split(" ")[1])
                    .findFirst()
                    .orElse("unmapped");
        }
    }

    private record Outcome(int status, String output) {}

    private static Outcome probe(Path directory, String what, String... flags) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(
                List.of("-Xmx64m", "-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=" + directory.resolve("crash.log")));
        command.addAll(List.of(flags));
        command.addAll(
                List.of("-cp", System.getProperty("java.class.path"), ExecutableMemoryProbe.class.getName(), what));
        Process process = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(process.waitFor(), output);
    }

    @Test
    void writingIntoItEndsTheProcess(@TempDir Path directory) throws Exception {
        processor();
        Outcome calls = probe(directory, "call", "--enable-native-access=ALL-UNNAMED");
        assertThat(calls.output).contains("answer 42");
        assertThat(calls.status).isZero();
        Outcome writes = probe(directory, "write", "--enable-native-access=ALL-UNNAMED");
        assertThat(writes.output).contains("SIG").doesNotContain("answer");
        assertThat(writes.status).isNotZero();
    }

    @Test
    void deniedNativeAccessIsAReason(@TempDir Path directory) throws Exception {
        processor();
        Outcome denied = probe(directory, "call", "--illegal-native-access=deny");
        assertThat(denied.output)
                .contains("refused: native access is denied to the assembler")
                .contains("--enable-native-access");
        assertThat(denied.status).isZero();
    }

    @Test
    void forbiddenExecutableMemoryIsAReason(@TempDir Path directory) throws Exception {
        processor();
        Outcome forbidden = probe(directory, "forbid", "-Xint", "--enable-native-access=ALL-UNNAMED");
        assumeTrue(forbidden.output.contains("forbidden"), "this system cannot forbid executable memory to a process");
        assertThat(forbidden.output)
                .contains("refused: the system forbids executable memory: mprotect to read and execute failed")
                .doesNotContain("answer");
        assertThat(forbidden.status).isZero();
    }

    @Test
    void otherProcessorsAndSystemsAreAReason(@TempDir Path directory) throws Exception {
        assertThat(probe(directory, "call", "-Dos.arch=aarch64").output)
                .contains("refused: assembled code needs an x86-64 processor, this is aarch64");
        assertThat(probe(directory, "call", "-Dos.name=Windows 11").output)
                .contains("refused: assembled code follows the System V calling convention, Windows 11 does not");
    }

    /** mmap refuses what is larger than the address space: a reason too, here seen from inside. */
    @Test
    void aFailedCallSaysWhy() throws Exception {
        processor();
        SystemCalls calls = SystemCalls.bind();
        try (Arena arena = Arena.ofConfined()) {
            assertThatExceptionOfType(SystemCallException.class)
                    .isThrownBy(() -> calls.mapWritable(Long.MAX_VALUE, arena))
                    .withMessageContaining("mmap")
                    .withMessageContaining("memory");
            MemorySegment heapless = MemorySegment.ofAddress(1);
            assertThatExceptionOfType(SystemCallException.class)
                    .isThrownBy(() -> calls.makeExecutable(heapless))
                    .withMessageContaining("mprotect")
                    .withMessageContaining("Invalid argument");
        }
    }
}
