package dev.puna.assembler;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** Random operands for every form of the table: registers of all numbers, addresses of all shapes, masks, broadcasts. */
final class InstructionSamples {
    /** Of the golden table; with another one the table must be made again. */
    private static final long GOLDEN_SEED = 20_261_120;

    private static final int GOLDEN_SAMPLES_PER_FORM = 2;

    private static final int[] DISPLACEMENTS = {0, 1, -1, 8, 64, -64, 127, -128, 128, 4096, -4096, 1 << 20, 0x12345678};
    private static final long[] NUMBERS = {
        0,
        1,
        2,
        3,
        7,
        100,
        127,
        128,
        200,
        255,
        256,
        1000,
        -1,
        -2,
        -128,
        -129,
        0x7FFF_FFFFL,
        -0x8000_0000L,
        0x8000_0000L,
        0xFFFF_FFFFL,
        0x1_0000_0000L,
        0x1234_5678_9ABC_DEF0L
    };

    private final RandomGenerator random;

    InstructionSamples(RandomGenerator random) {
        this.random = random;
    }

    /** Prints the instructions of the golden table, for {@code tools/golden/assembler.py}. */
    static void main() {
        for (Instruction instruction : golden()) {
            System.out.println(instruction.text());
        }
    }

    static List<Instruction> golden() {
        return new InstructionSamples(new SplittableRandom(GOLDEN_SEED)).ofEveryForm(GOLDEN_SAMPLES_PER_FORM);
    }

    /** So many instructions of each form of the table. */
    List<Instruction> ofEveryForm(int count) {
        List<Instruction> instructions = new ArrayList<>();
        for (String mnemonic : InstructionTable.mnemonics()) {
            for (Form form : InstructionTable.forms(mnemonic)) {
                for (int i = 0; i < count; i++) {
                    Operand[] operands = operands(form);
                    instructions.add(Encoder.encode(InstructionTable.find(mnemonic, operands), operands));
                }
            }
        }
        return instructions;
    }

    /** An instruction that the form can encode; the table may still choose an earlier form for it. */
    Operand[] operands(Form form) {
        while (true) {
            Operand[] operands = new Operand[form.operands().size()];
            for (int i = 0; i < operands.length; i++) {
                operands[i] = operand(form.operands().get(i));
            }
            if (form.fits(operands) && InstructionTable.registersDiffer(form, operands)) {
                return operands;
            }
        }
    }

    private Operand operand(OperandPattern pattern) {
        List<OperandPattern.Kind> kinds = new ArrayList<>();
        for (OperandPattern.Kind kind : OperandPattern.Kind.values()) {
            if ((pattern.kinds() & kind.bit()) != 0) {
                kinds.add(kind);
            }
        }
        OperandPattern.Kind kind = kinds.get(random.nextInt(kinds.size()));
        Operand operand = operand(kind, pattern);
        boolean maskable = (pattern.maskable() & kind.bit()) != 0;
        if (!maskable || !pattern.maskRequired() && random.nextInt(3) == 0) {
            return operand;
        }
        boolean zeroing = (pattern.zeroable() & kind.bit()) != 0 && random.nextBoolean();
        return new Masked(operand, Mask.values()[1 + random.nextInt(7)], zeroing);
    }

    private Operand operand(OperandPattern.Kind kind, OperandPattern pattern) {
        int low = random.nextInt(16);
        return switch (kind) {
            case R8 -> Gp8.values()[low];
            case R16 -> Gp16.values()[low];
            case R32 -> Gp32.values()[low];
            case R64 -> Gp64.values()[low];
            case EAX -> Gp32.EAX;
            case RAX -> Gp64.RAX;
            case CL -> Gp8.CL;
            case XMM -> Vec.xmm(low);
            case YMM -> Vec.ymm(low);
            case ZMM -> Vec.zmm(low);
            case XMM_HIGH -> Vec.xmm(16 + low);
            case YMM_HIGH -> Vec.ymm(16 + low);
            case ZMM_HIGH -> Vec.zmm(16 + low);
            case K -> Mask.values()[random.nextInt(8)];
            case TMM -> Tile.values()[random.nextInt(8)];
            case MEMORY ->
                memory(pattern.memoryBytes(), pattern.source().equals("tile")).bytes(pattern.memoryBytes());
            case BROADCAST -> memory(pattern.elementBytes(), false).broadcast(pattern.broadcastLanes());
            case VECTOR_INDEX_X -> gathered(Vec.xmm(low), pattern);
            case VECTOR_INDEX_Y -> gathered(Vec.ymm(low), pattern);
            case VECTOR_INDEX_Z -> gathered(Vec.zmm(low), pattern);
            case VECTOR_INDEX_X_HIGH -> gathered(Vec.xmm(16 + low), pattern);
            case VECTOR_INDEX_Y_HIGH -> gathered(Vec.ymm(16 + low), pattern);
            case VECTOR_INDEX_Z_HIGH -> gathered(Vec.zmm(16 + low), pattern);
            case ONE -> new Immediate(1);
            case I8, I8S, I8S_OF_32, I32, I32S, I64 -> new Immediate(NUMBERS[random.nextInt(NUMBERS.length)]);
        };
    }

    private Memory gathered(Vec index, OperandPattern pattern) {
        int displacement = displacement(pattern.elementBytes());
        int scale = 1 << random.nextInt(4);
        return random.nextInt(8) == 0
                ? Memory.indexed(index, scale, displacement)
                : Memory.at(Gp64.values()[random.nextInt(16)], index, scale, displacement);
    }

    private Memory memory(int unit, boolean tile) {
        Gp64 base = Gp64.values()[random.nextInt(16)];
        int displacement = displacement(unit);
        Gp64 index = Gp64.values()[random.nextInt(16)];
        int scale = 1 << random.nextInt(4);
        if (index == Gp64.RSP) {
            index = Gp64.RAX;
        }
        return switch (random.nextInt(8)) {
            case 0, 1 -> Memory.at(base);
            case 2, 3 -> Memory.at(base, displacement);
            case 4, 5, 6 -> Memory.at(base, index, scale, displacement);
            default -> tile ? Memory.at(base, index, scale) : Memory.indexed(index, scale, displacement);
        };
    }

    /** Plain ones, and multiples of the unit around the bounds of compressed displacements. */
    private int displacement(int unit) {
        int plain = DISPLACEMENTS[random.nextInt(DISPLACEMENTS.length)];
        return random.nextBoolean() || unit == 0 ? plain : unit * (random.nextInt(264) - 132);
    }
}
