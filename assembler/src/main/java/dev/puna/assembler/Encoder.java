package dev.puna.assembler;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of one instruction: prefixes, opcode, ModRM, SIB, displacement, immediate (Intel Software Developer's
 * Manual, volume 2, chapter 2). The operands fit the form; {@link InstructionTable#find} saw to that.
 */
final class Encoder {
    /** No instruction is longer. */
    private static final int MAX_LENGTH = 15;

    private final Form form;
    private final byte[] bytes = new byte[MAX_LENGTH + 8];
    private int size;

    private int reg;
    private int vvvv;
    private int fourth = -1;
    private @Nullable Operand rm;
    private boolean rexForByteRegister;
    private int writeMask;
    private boolean zeroing;
    private int fixup = -1;

    private Encoder(Form form) {
        this.form = form;
    }

    /** Encodes; a displacement to a label is left zero and reported as the instruction's fixup. */
    static Instruction encode(Form form, Operand[] operands) {
        return new Encoder(form).encode(operands);
    }

    private Instruction encode(Operand[] operands) {
        int opcodeRegister = -1;
        int position = 0;
        List<OperandPattern> patterns = form.operands();
        for (int i = 0; i < operands.length; i++) {
            Operand operand = operands[i];
            if (operand instanceof Masked masked) {
                writeMask = masked.mask().number();
                zeroing = masked.zeroing();
                operand = masked.target();
            }
            if (operand instanceof Gp8 register && register.number() >= 4 && register.number() < 8) {
                rexForByteRegister = true;
            }
            if (patterns.get(i).isImmediate()) {
                continue;
            }
            switch (form.order().charAt(position++)) {
                case 'R' -> reg = number(operand);
                case 'V' -> vvvv = number(operand);
                case 'S' -> fourth = number(operand);
                case 'O' -> opcodeRegister = number(operand);
                case 'M' -> rm = operand;
                default -> {
                    // implicit: the opcode says it
                }
            }
        }
        if (form.digit() >= 0) {
            reg = form.digit();
        }
        byte[] opcode = form.opcode();
        int prefix = form.prefix();
        if (form.exchanged() != 0 && rm instanceof Vec last && last.number() >= 8 && reg < 8) {
            // The same move in its store form: the high register goes where the two-byte VEX prefix reaches it.
            rm = Vec.of(last.bytes(), reg);
            reg = last.number();
            opcode = new byte[] {(byte) form.exchanged()};
            prefix = form.exchanged() > 0xFF ? form.exchanged() >> 8 : prefix;
        }
        int base = 0;
        int index = 0;
        if (rm instanceof Memory memory) {
            base = memory.base() == null ? 0 : memory.base().number();
            index = memory.index() == null ? 0 : number(memory.index());
        } else if (rm != null) {
            base = number(rm);
        } else if (opcodeRegister >= 0) {
            base = opcodeRegister;
        }
        switch (form.space()) {
            case 'L' -> legacyPrefix(prefix, base, index);
            case 'V' -> vexPrefix(prefix, base, index);
            default -> evexPrefix(prefix, base, index);
        }
        for (byte b : opcode) {
            put(b);
        }
        if (opcodeRegister >= 0) {
            bytes[size - 1] += (byte) (opcodeRegister & 7);
        }
        if (rm instanceof Memory memory) {
            memory(memory, memoryPattern(operands));
        } else if (rm != null) {
            put(0xC0 | (reg & 7) << 3 | (base & 7));
        } else if (form.order().equals("R")) {
            put(0xC0 | (reg & 7) << 3);
        }
        if (fourth >= 0) {
            put(fourth << 4);
        }
        for (int i = 0; i < operands.length; i++) {
            if (operands[i] instanceof Immediate immediate) {
                little(immediate.value(), patterns.get(i).immediateBytes());
            }
        }
        if (size > MAX_LENGTH) {
            throw new IllegalArgumentException(form.text(operands) + " is longer than " + MAX_LENGTH + " bytes");
        }
        Label label = rm instanceof Memory memory ? memory.label() : null;
        int addend = rm instanceof Memory memory ? memory.displacement() : 0;
        return new Instruction(form, operands, Arrays.copyOf(bytes, size), fixup, addend, label);
    }

    private OperandPattern memoryPattern(Operand[] operands) {
        for (int i = 0; i < operands.length; i++) {
            Operand operand = operands[i] instanceof Masked masked ? masked.target() : operands[i];
            if (operand instanceof Memory) {
                return form.operands().get(i);
            }
        }
        throw new IllegalStateException(form + " has no memory operand");
    }

    /** A register's number in the encoding. */
    static int number(Operand operand) {
        return switch (operand) {
            case Gp register -> register.number();
            case Vec vector -> vector.number();
            case Mask mask -> mask.number();
            case Tile tile -> tile.number();
            case Memory _, Masked _, Immediate _ -> throw new IllegalStateException(operand + " is no register");
        };
    }

    private void legacyPrefix(int prefix, int base, int index) {
        if (prefix != 0) {
            put(prefix);
        }
        int rex = (form.wide() ? 8 : 0) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);
        if (rex != 0 || rexForByteRegister) {
            put(0x40 | rex);
        }
    }

    private void vexPrefix(int prefix, int base, int index) {
        int r = ~reg >> 3 & 1;
        int x = ~index >> 3 & 1;
        int b = ~base >> 3 & 1;
        int tail = (~vvvv & 15) << 3 | form.length() << 2 | code(prefix);
        if (x == 1 && b == 1 && !form.wide() && form.map() == 1) {
            put(0xC5);
            put(r << 7 | tail);
        } else {
            put(0xC4);
            put(r << 7 | x << 6 | b << 5 | form.map());
            put((form.wide() ? 0x80 : 0) | tail);
        }
    }

    private void evexPrefix(int prefix, int base, int index) {
        boolean memory = rm instanceof Memory;
        boolean vectorIndex = rm instanceof Memory m && m.index() instanceof Vec;
        // For a register in ModRM.rm, X carries its fifth bit; for a vector index, V' does.
        int x = memory ? ~index >> 3 & 1 : ~base >> 4 & 1;
        int vHigh = vectorIndex ? ~index >> 4 & 1 : ~vvvv >> 4 & 1;
        boolean broadcast = rm instanceof Memory m && m.lanes() != 0;
        put(0x62);
        put((~reg >> 3 & 1) << 7 | x << 6 | (~base >> 3 & 1) << 5 | (~reg >> 4 & 1) << 4 | form.map());
        put((form.wide() ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | code(prefix));
        put((zeroing ? 0x80 : 0) | form.length() << 5 | (broadcast ? 0x10 : 0) | vHigh << 3 | writeMask);
    }

    private static int code(int prefix) {
        return switch (prefix) {
            case 0x66 -> 1;
            case 0xF3 -> 2;
            case 0xF2 -> 3;
            default -> 0;
        };
    }

    private void memory(Memory memory, OperandPattern pattern) {
        int middle = (reg & 7) << 3;
        if (memory.label() != null) {
            put(middle | 5);
            fixup = size;
            little(0, 4);
            return;
        }
        int displacement = memory.displacement();
        Gp64 base = memory.base();
        Operand index = memory.index();
        int scale = Integer.numberOfTrailingZeros(memory.scale());
        if (base == null) {
            put(middle | 4);
            put(scale << 6 | (index == null ? 4 : number(index) & 7) << 3 | 5);
            little(displacement, 4);
            return;
        }
        int unit = form.space() != 'E' ? 1 : compressedUnit(memory, pattern);
        int compressed = displacement / unit;
        boolean needsDisplacement = displacement != 0 || (base.number() & 7) == 5;
        boolean small = compressed * unit == displacement && (byte) compressed == compressed;
        int mod = !needsDisplacement ? 0 : small ? 0x40 : 0x80;
        if (index == null && (base.number() & 7) != 4 && !pattern.source().equals("tile")) {
            put(mod | middle | (base.number() & 7));
        } else {
            put(mod | middle | 4);
            put(scale << 6 | (index == null ? 4 : number(index) & 7) << 3 | (base.number() & 7));
        }
        if (mod == 0x40) {
            put(compressed);
        } else if (mod == 0x80) {
            little(displacement, 4);
        }
    }

    /** N of the compressed displacement disp8·N: the size of what is accessed. */
    private static int compressedUnit(Memory memory, OperandPattern pattern) {
        boolean element = memory.lanes() != 0 || memory.index() instanceof Vec;
        return element ? pattern.elementBytes() : pattern.memoryBytes();
    }

    private void put(int value) {
        bytes[size++] = (byte) value;
    }

    private void little(long value, int count) {
        for (int i = 0; i < count; i++) {
            put((int) (value >> (8 * i)));
        }
    }
}
