package dev.puna.assembler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Our bytes are GNU as's bytes: by the committed table ({@code tools/golden/assembler.py}), and live where it is. */
class InstructionGoldenTest {
    private static final int SAMPLES_PER_FORM = 16;

    @Test
    void everyFormAgreesWithTheTable() throws IOException {
        String table;
        try (InputStream in = InstructionGoldenTest.class.getResourceAsStream("golden.txt")) {
            table = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
        List<String> golden = table.lines().toList();
        List<Instruction> samples = InstructionSamples.golden();
        assertThat(golden).as("run tools/golden/assembler.py again").hasSameSizeAs(samples);
        HexFormat hex = HexFormat.of().withUpperCase();
        for (int i = 0; i < golden.size(); i++) {
            Instruction sample = samples.get(i);
            assertThat(hex.formatHex(sample.bytes()) + "\t" + sample.text()).isEqualTo(golden.get(i));
        }
    }

    /** Other operands in every run, and the seed in the message. */
    @Test
    void randomInstructionsAgreeWithTheAssembler(@TempDir Path directory) throws Exception {
        assumeTrue(GnuAssembler.isPresent(), "GNU as is not installed");
        long seed = System.nanoTime();
        List<Instruction> samples = new InstructionSamples(new SplittableRandom(seed)).ofEveryForm(SAMPLES_PER_FORM);
        StringBuilder source = new StringBuilder(".intel_syntax noprefix\n");
        samples.forEach(sample -> source.append(sample.text()).append('\n'));
        byte[] theirs = GnuAssembler.assemble(source.toString(), directory);
        int at = 0;
        for (Instruction sample : samples) {
            int end = Math.min(theirs.length, at + sample.bytes().length);
            byte[] part = java.util.Arrays.copyOfRange(theirs, at, end);
            assertThat(HexFormat.of().formatHex(sample.bytes()))
                    .as("%s (seed %d)", sample.text(), seed)
                    .isEqualTo(HexFormat.of().formatHex(part));
            at = end;
        }
        assertThat(at).isEqualTo(theirs.length);
    }

    static LongStream seeds() {
        return LongStream.range(0, 12);
    }

    /** Labels before and behind, jumps of both lengths, constants: whole programs come out equal too. */
    @ParameterizedTest
    @MethodSource("seeds")
    void randomProgramsAgreeWithTheAssembler(long seed, @TempDir Path directory) throws Exception {
        assumeTrue(GnuAssembler.isPresent(), "GNU as is not installed");
        SplittableRandom random = new SplittableRandom(seed);
        Assembler a = new Assembler();
        Label[] labels = new Label[20];
        for (int i = 0; i < labels.length; i++) {
            labels[i] = a.label("place" + i);
        }
        for (Label label : labels) {
            a.bind(label);
            a.comment("after " + label);
            int count = random.nextInt(30);
            for (int i = 0; i < count; i++) {
                Label target = labels[random.nextInt(labels.length)];
                switch (random.nextInt(8)) {
                    case 0 -> a.jmp(target);
                    case 1 -> a.jne(target);
                    case 2 -> a.ja(target);
                    case 3 ->
                        a.vaddps(
                                Vec.zmm(1),
                                Vec.zmm(2),
                                a.constant((float) random.nextInt(9)).broadcast());
                    case 4 -> a.vmovdqa(Vec.xmm(9), a.constant(1, 2, 3, random.nextInt(5)));
                    case 5 -> a.lea(Gp64.R9, Memory.at(target, random.nextInt(100)));
                    case 6 -> a.vpshufd(Vec.zmm(1), Memory.at(target), 27);
                    default -> a.add(Gp64.R10, random.nextInt(1000));
                }
            }
        }
        Code code = a.assemble();
        byte[] theirs = GnuAssembler.assemble(code.source(), directory);
        assertThat(HexFormat.of().formatHex(code.bytes()))
                .isEqualTo(HexFormat.of().formatHex(theirs));
    }

    @Test
    void methodsAreMadeFromTheTable() throws IOException {
        Path file = Path.of("src/main/java/dev/puna/assembler/Instructions.java");
        assumeTrue(Files.exists(file), "not in the module's directory");
        assertThat(Files.readString(file)).as("run InstructionsSource again").isEqualTo(InstructionsSource.source());
    }
}
