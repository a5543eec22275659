package dev.puna.assembler;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;

/**
 * One encodable shape of an instruction: a line of {@code instructions.txt} at one vector length.
 *
 * @param mnemonic the instruction, with {@code {vex}} in front where an EVEX form of the same name is the usual one
 * @param space encoding: L legacy, V VEX, E EVEX
 * @param prefix mandatory prefix, 0, 0x66, 0xF3 or 0xF2
 * @param map opcode map of VEX and EVEX, 1 to 6
 * @param wide REX.W, VEX.W or EVEX.W
 * @param length VEX.L or EVEX.L'L, 0 to 2
 * @param opcode the opcode's bytes
 * @param digit what stands in ModRM.reg instead of a register, or -1
 * @param exchanged opcode (and prefix, when longer than a byte) of the form that exchanges the first and the last
 *     register, taken when it makes a VEX prefix shorter; 0 for none
 * @param order where each operand but immediates goes: R M V S O or -
 * @param operands what each operand may be
 * @param features what the processor needs
 */
record Form(
        String mnemonic,
        char space,
        int prefix,
        int map,
        boolean wide,
        int length,
        byte[] opcode,
        int digit,
        int exchanged,
        String order,
        List<OperandPattern> operands,
        Set<Feature> features) {

    /** Whether these operands fit; the shape of the first misfit is {@link #misfit}. */
    boolean fits(Operand[] given) {
        return given.length == operands.size() && misfit(given) == given.length;
    }

    /** Index of the first operand that does not fit, or their number. */
    int misfit(Operand[] given) {
        for (int i = 0; i < given.length; i++) {
            if (!operands.get(i).accepts(given[i])) {
                return i;
            }
        }
        return given.length;
    }

    /** The forms that one line of the table stands for. */
    static List<Form> parse(String mnemonic, String line) {
        String[] columns = line.trim().split("\\s+");
        String[] names = columns[0].split(",");
        int which = List.of(names).indexOf(mnemonic);
        String encoding = columns[1].contains(",") ? columns[1].split(",")[which] : columns[1];
        String opcode = columns[2].contains(",") ? columns[2].split(",")[which] : columns[2];
        List<String> parts = List.of(encoding.split("\\."));
        char space = parts.getFirst().charAt(0);
        int prefix = parts.contains("66") ? 0x66 : parts.contains("F3") ? 0xF3 : parts.contains("F2") ? 0xF2 : 0;
        int map = 1;
        if (parts.contains("0F38")) {
            map = 2;
        } else if (parts.contains("0F3A")) {
            map = 3;
        } else if (parts.contains("M5")) {
            map = 5;
        } else if (parts.contains("M6")) {
            map = 6;
        }
        int exchanged = 0;
        int tilde = opcode.indexOf('~');
        if (tilde >= 0) {
            exchanged = Integer.parseInt(opcode.substring(tilde + 1), 16);
            opcode = opcode.substring(0, tilde);
        }
        int digit = -1;
        int slash = opcode.indexOf('/');
        if (slash >= 0) {
            digit = opcode.charAt(slash + 1) - '0';
            opcode = opcode.substring(0, slash);
        }
        String[] patterns = columns[4].equals("-") ? new String[0] : columns[4].split(",");
        boolean everyLength = false;
        for (String pattern : patterns) {
            for (String alternative : pattern.split("/")) {
                everyLength |= OperandPattern.dependsOnLength(alternative);
            }
        }
        int shortest = parts.contains("L256") || parts.contains("L256+") || parts.contains("L1") ? 1 : 0;
        int longest = space == 'E' ? 2 : 1;
        if (parts.contains("L512")) {
            shortest = 2;
        } else if (parts.contains("L256") || parts.contains("L0") || parts.contains("L1") || !everyLength) {
            longest = shortest;
        }
        List<Form> forms = new ArrayList<>();
        for (int length = shortest; length <= longest; length++) {
            List<OperandPattern> operands = new ArrayList<>();
            for (String pattern : patterns) {
                operands.add(OperandPattern.parse(pattern, length, space, parts.contains("W1"), columns[4]));
            }
            EnumSet<Feature> features = EnumSet.noneOf(Feature.class);
            for (String feature : columns[5].split(",")) {
                features.add(Feature.valueOf(feature));
            }
            if (space == 'E' && everyLength && length < 2) {
                features.add(Feature.AVX512VL);
            }
            forms.add(new Form(
                    mnemonic,
                    space,
                    prefix,
                    map,
                    parts.contains("W1"),
                    length,
                    HexFormat.of().parseHex(opcode),
                    digit,
                    exchanged,
                    columns[3],
                    List.copyOf(operands),
                    features));
        }
        return forms;
    }

    /** The instruction as Intel syntax writes it. */
    String text(Operand[] given) {
        StringBuilder text = new StringBuilder();
        text.append(mnemonic.startsWith("{vex}") ? "{vex} " + mnemonic.substring(5) : mnemonic);
        for (int i = 0; i < given.length; i++) {
            text.append(i == 0 ? " " : ", ").append(operands.get(i).text(given[i]));
        }
        return text.toString();
    }

    /** The form itself, for error messages. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(mnemonic);
        for (int i = 0; i < operands.size(); i++) {
            text.append(i == 0 ? " " : ", ").append(operands.get(i).source());
        }
        return text.toString();
    }
}
