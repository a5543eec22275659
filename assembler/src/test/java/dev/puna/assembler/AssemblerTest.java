package dev.puna.assembler;

import static dev.puna.assembler.Gp32.EAX;
import static dev.puna.assembler.Gp64.R12;
import static dev.puna.assembler.Gp64.RAX;
import static dev.puna.assembler.Gp64.RBP;
import static dev.puna.assembler.Gp64.RDI;
import static dev.puna.assembler.Gp64.RSI;
import static dev.puna.assembler.Gp64.RSP;
import static dev.puna.assembler.Mask.K0;
import static dev.puna.assembler.Mask.K1;
import static dev.puna.assembler.Vec.xmm;
import static dev.puna.assembler.Vec.ymm;
import static dev.puna.assembler.Vec.zmm;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class AssemblerTest {
    private record Wrong(Consumer<Assembler> instruction, List<String> named) {}

    /** Every one is refused, with a message that names the instruction and the operand; none becomes bytes. */
    static List<Wrong> wrongOperands() {
        return List.of(
                new Wrong(a -> a.vpand(ymm(1), ymm(2), ymm(16)), List.of("vpand", "operand 3", "ymm16")),
                new Wrong(a -> a.vaddps(zmm(1), ymm(2), zmm(3)), List.of("vaddps", "operand 2", "ymm2")),
                new Wrong(a -> a.vaddps(zmm(1), zmm(2), K1), List.of("vaddps", "operand 3", "k1")),
                new Wrong(a -> a.vaddps(zmm(1), zmm(2), RAX), List.of("vaddps", "operand 3", "rax")),
                new Wrong(
                        a -> a.emit("vpand", ymm(1).mask(K1), ymm(2), ymm(3)),
                        List.of("vpand", "operand 1", "ymm1{k1}")),
                new Wrong(
                        a -> a.vmovups(Memory.at(RDI).mask(K1), ymm(2).maskz(K1)),
                        List.of("vmovups", "operand 2", "ymm2{k1}{z}")),
                new Wrong(
                        a -> a.vmovups(new Masked(Memory.at(RDI), K1, true), zmm(2)),
                        List.of("vmovups", "operand 1", "[rdi]{k1}{z}")),
                new Wrong(a -> a.inc(Memory.at(RDI)), List.of("inc", "operand 1", "[rdi]", "4 or 8 bytes")),
                new Wrong(a -> a.mov(Memory.at(RDI), 1), List.of("mov", "operand 1", "bytes(n)")),
                new Wrong(a -> a.movzx(EAX, Memory.at(RDI)), List.of("movzx", "operand 2", "[rdi]")),
                new Wrong(
                        a -> a.vcvtneps2bf16(xmm(1), Memory.at(RDI)),
                        List.of("vcvtneps2bf16", "operand 2", "16 or 32 bytes")),
                new Wrong(
                        a -> a.vcvtneps2bf16(xmm(1), Memory.at(RDI).broadcast()),
                        List.of("vcvtneps2bf16", "operand 2", "broadcast(lanes)")),
                new Wrong(a -> a.vaddps(zmm(1), zmm(2), Memory.at(RDI).broadcast(8)), List.of("vaddps", "operand 3")),
                new Wrong(a -> a.vaddps(zmm(1), zmm(2), Memory.at(RDI).bytes(32)), List.of("vaddps", "operand 3")),
                new Wrong(a -> a.vpshufb(zmm(1), zmm(2), Memory.at(RDI).broadcast()), List.of("vpshufb", "operand 3")),
                new Wrong(a -> a.vaddps(zmm(1), zmm(2), a.constant(1f, 2f)), List.of("vaddps", "operand 3")),
                new Wrong(a -> a.vpslld(zmm(1), zmm(2), 256), List.of("vpslld", "operand 3", "256")),
                new Wrong(a -> a.vpslld(zmm(1), zmm(2), -1), List.of("vpslld", "operand 3", "-1")),
                new Wrong(a -> a.add(RAX, 0x8000_0000L), List.of("add", "operand 2", "2147483648")),
                new Wrong(a -> a.add(EAX, 0x1_0000_0000L), List.of("add", "operand 2", "4294967296")),
                new Wrong(a -> a.add(RAX, EAX), List.of("add", "operand 2", "eax")),
                new Wrong(a -> a.shl(RAX, Gp64.RCX), List.of("shl", "operand 2", "rcx")),
                new Wrong(a -> a.shl(RAX, Gp8.DL), List.of("shl", "operand 2", "dl")),
                new Wrong(
                        a -> a.vgatherdps(zmm(1), Memory.at(RDI, zmm(2), 4)),
                        List.of("vgatherdps", "operand 1", "zmm1")),
                new Wrong(
                        a -> a.vgatherdps(zmm(1).mask(K1), Memory.at(RDI, ymm(2), 4)),
                        List.of("vgatherdps", "operand 2", "ymm2")),
                new Wrong(
                        a -> a.vgatherdps(zmm(2).mask(K1), Memory.at(RDI, zmm(2), 4)), List.of("vgatherdps", "twice")),
                new Wrong(
                        a -> a.vaddps(zmm(1), zmm(2), Memory.at(RDI, zmm(3), 4)),
                        List.of("vaddps", "operand 3", "zmm3")),
                new Wrong(a -> a.tdpbf16ps(Tile.TMM1, Tile.TMM1, Tile.TMM2), List.of("tdpbf16ps", "tmm1", "twice")),
                new Wrong(a -> a.emit("vaddps", zmm(1), zmm(2)), List.of("vaddps", "2 operands")),
                new Wrong(a -> a.emit("vfrobnicate", zmm(1)), List.of("vfrobnicate")),
                new Wrong(a -> zmm(1).mask(K0), List.of("k0", "zmm1")),
                new Wrong(a -> Memory.at(RDI, RSP, 1), List.of("rsp")),
                new Wrong(a -> Memory.at(RDI, RSI, 3), List.of("scale", "3")),
                new Wrong(a -> Memory.at(RDI, EAX, 1), List.of("eax")),
                new Wrong(a -> zmm(32), List.of("32")),
                new Wrong(a -> Vec.of(24, 0), List.of("24")),
                new Wrong(a -> a.align(24), List.of("24")),
                new Wrong(a -> a.align(128), List.of("128")),
                new Wrong(a -> a.align(0), List.of("0")),
                new Wrong(a -> a.constant(new byte[0]), List.of("empty")));
    }

    @ParameterizedTest
    @MethodSource("wrongOperands")
    void refusesWhatAnInstructionCannotTake(Wrong wrong) {
        Assembler a = new Assembler();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> wrong.instruction.accept(a))
                .satisfies(e -> assertThat(e.getMessage()).contains(wrong.named));
        assertThat(a.assemble().listing()).doesNotContain("zmm").doesNotContain("rax");
    }

    /** By hand, from the manual: the two registers that cannot stand alone as a base, and N of disp8·N. */
    @Test
    void encodesAddresses() {
        assertThat(bytes(a -> a.mov(RAX, Memory.at(RSP)))).isEqualTo("488b0424");
        assertThat(bytes(a -> a.mov(RAX, Memory.at(R12)))).isEqualTo("498b0424");
        assertThat(bytes(a -> a.mov(RAX, Memory.at(RBP)))).isEqualTo("488b4500");
        assertThat(bytes(a -> a.vmovups(zmm(1), Memory.at(RDI, 64)))).isEqualTo("62f17c48104f01");
        assertThat(bytes(a -> a.vmovups(zmm(1), Memory.at(RDI, 65)))).isEqualTo("62f17c48108f41000000");
        assertThat(bytes(a -> a.vmovups(zmm(1), Memory.at(RDI).plus(128)))).isEqualTo("62f17c48104f02");
    }

    private static String bytes(Consumer<Assembler> instruction) {
        Assembler a = new Assembler();
        instruction.accept(a);
        return HexFormat.of().formatHex(a.assemble().bytes());
    }

    @Test
    void jumpsAreShortWhereTheyReach() {
        assertThat(forward(127)).startsWith("eb7f").hasSize(2 * 129);
        assertThat(forward(128)).startsWith("e980000000").hasSize(2 * 133);
        assertThat(backward(126)).endsWith("7580");
        assertThat(backward(127)).endsWith("0f857bffffff");
    }

    private static String forward(int nops) {
        return bytes(a -> {
            Label end = a.label("end");
            a.jmp(end);
            for (int i = 0; i < nops; i++) {
                a.nop();
            }
            a.bind(end);
        });
    }

    private static String backward(int nops) {
        return bytes(a -> {
            Label begin = a.label("begin");
            a.bind(begin);
            for (int i = 0; i < nops; i++) {
                a.nop();
            }
            a.jne(begin);
        });
    }

    /** A jump that becomes long moves another out of reach. */
    @Test
    void jumpsLengthenTogether() {
        String program = bytes(a -> {
            Label one = a.label("one");
            Label two = a.label("two");
            a.jmp(one);
            for (int i = 0; i < 125; i++) {
                a.nop();
            }
            a.jmp(two);
            a.bind(one);
            for (int i = 0; i < 128; i++) {
                a.nop();
            }
            a.bind(two);
        });
        assertThat(program).startsWith("e982000000").contains("90e98000000090");
    }

    @Test
    void aLabelIsBoundOnceAndInItsOwnCode() {
        Assembler a = new Assembler();
        Label here = a.label("here");
        a.jmp(here);
        assertThatIllegalStateException().isThrownBy(a::assemble).withMessageContaining("here");
        a.bind(here);
        assertThat(a.assemble().bytes()).containsExactly(0xEB, 0);
        assertThatIllegalArgumentException().isThrownBy(() -> a.bind(here)).withMessageContaining("here");
        Assembler other = new Assembler();
        other.bind(other.label("there"));
        other.jmp(here);
        assertThatIllegalStateException().isThrownBy(other::assemble).withMessageContaining("here");
    }

    @Test
    void constantsAreStoredOnceAndAligned() {
        Assembler a = new Assembler();
        a.vmovss(xmm(0), a.constant(1.5f));
        a.vmovups(zmm(1), a.constant(new int[16]));
        a.vmulss(xmm(0), xmm(0), a.constant(1.5f));
        Code code = a.assemble();
        byte[] bytes = code.bytes();
        int instructions = 8 + 10 + 8;
        assertThat(bytes).hasSize(64 + 64);
        assertThat(Arrays.copyOfRange(bytes, instructions, 28)).containsOnly(0xCC);
        assertThat(Arrays.copyOfRange(bytes, 28, 32)).containsExactly(0, 0, 0xC0, 0x3F);
        assertThat(Arrays.copyOfRange(bytes, 64, 128)).containsOnly(0);
    }

    @Test
    void saysWhatItNeeds() {
        Assembler a = new Assembler();
        a.vfmadd231ps(ymm(0), ymm(1), ymm(2));
        assertThat(a.assemble().features()).containsExactlyInAnyOrder(Feature.BASE, Feature.FMA);
        a.vfmadd231ps(ymm(0), ymm(1), ymm(20));
        assertThat(a.assemble().features())
                .containsExactlyInAnyOrder(Feature.BASE, Feature.FMA, Feature.AVX512F, Feature.AVX512VL);
        a.vpdpbusd(zmm(0), zmm(1), zmm(2));
        assertThat(a.assemble().features()).contains(Feature.AVX512VNNI);
    }

    @Test
    void listsForHumans() {
        Assembler a = new Assembler();
        Label loop = a.label("loop");
        a.comment("one row");
        a.bind(loop);
        a.vaddps(zmm(1).maskz(K1), zmm(2), Memory.at(RDI, RSI, 4, 64).broadcast());
        a.jne(loop);
        assertThat(a.assemble().listing()).isEqualToNormalizingNewlines("""
                        # one row
                loop:
                     0  62 f1 6c d9 58 4c b7 10              vaddps zmm1{k1}{z}, zmm2, DWORD PTR [rdi+rsi*4+64]{1to16}
                     8  75 f6                                jne loop
                """);
    }
}
