package dev.puna.assembler;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The forms of every instruction, from {@code instructions.txt}. Lines are split by mnemonic when the table is first
 * used, and parsed when their instruction is: a start that assembles a few kernels pays for these only.
 */
final class InstructionTable {
    private static final Map<String, List<String>> LINES = lines();
    private static final Map<String, List<Form>> FORMS = new HashMap<>();

    private InstructionTable() {}

    /** The mnemonics in the table's order. */
    static Collection<String> mnemonics() {
        return LINES.keySet();
    }

    /** The forms of a mnemonic, in the order in which they are tried. */
    static synchronized List<Form> forms(String mnemonic) {
        return FORMS.computeIfAbsent(mnemonic, name -> {
            List<String> lines = LINES.get(name);
            if (lines == null) {
                throw new IllegalArgumentException(name + " is not in the instruction table");
            }
            List<Form> forms = new ArrayList<>();
            for (String line : lines) {
                forms.addAll(Form.parse(name, line));
            }
            return List.copyOf(forms);
        });
    }

    /**
     * The form that encodes these operands.
     *
     * @throws IllegalArgumentException naming the instruction and the operand, if none does or if the size of a memory
     *     operand would decide between several
     */
    static Form find(String mnemonic, Operand[] operands) {
        List<Form> forms = forms(mnemonic);
        for (int i = 0; i < forms.size(); i++) {
            if (forms.get(i).fits(operands)) {
                Form form = forms.get(i);
                checkUnambiguous(form, forms.subList(i + 1, forms.size()), operands);
                if (!registersDiffer(form, operands)) {
                    throw new IllegalArgumentException(mnemonic + " " + list(operands)
                            + ": the processor refuses it when a register appears twice");
                }
                return form;
            }
        }
        throw refusal(mnemonic, forms, operands);
    }

    private static void checkUnambiguous(Form form, List<Form> later, Operand[] operands) {
        for (int i = 0; i < operands.length; i++) {
            Operand target = operands[i] instanceof Masked masked ? masked.target() : operands[i];
            boolean undecided = target instanceof Memory memory && (memory.bytes() == 0 || memory.lanes() == -1);
            if (!undecided) {
                continue;
            }
            OperandPattern pattern = form.operands().get(i);
            for (Form other : later) {
                if (other.fits(operands) && other.operands().get(i).memoryBytes() != pattern.memoryBytes()) {
                    throw new IllegalArgumentException(form.mnemonic() + ": operand " + (i + 1) + " (" + operands[i]
                            + ") may be " + pattern.memoryBytes() + " or "
                            + other.operands().get(i).memoryBytes()
                            + " bytes; say which with bytes(n), or broadcast(lanes)");
                }
            }
        }
    }

    /** Whether no register appears twice where the processor refuses that: in gathers and products of tiles. */
    static boolean registersDiffer(Form form, Operand[] operands) {
        if (!form.mnemonic().contains("gather") && !form.mnemonic().startsWith("tdp")) {
            return true;
        }
        Set<Integer> numbers = new HashSet<>();
        for (Operand operand : operands) {
            Operand target = operand instanceof Masked masked ? masked.target() : operand;
            Operand register = target instanceof Memory memory && memory.index() != null ? memory.index() : target;
            if (!numbers.add(Encoder.number(register))) {
                return false;
            }
        }
        return true;
    }

    private static IllegalArgumentException refusal(String mnemonic, List<Form> forms, Operand[] operands) {
        int furthest = -1;
        StringBuilder expected = new StringBuilder();
        for (Form form : forms) {
            if (form.operands().size() == operands.length) {
                furthest = Math.max(furthest, form.misfit(operands));
            }
        }
        for (Form form : forms) {
            expected.append(expected.isEmpty() ? "" : "; ").append(form);
        }
        String given = list(operands);
        String what = furthest < 0
                ? mnemonic + " does not take " + operands.length + " operands (" + given + ")"
                : mnemonic + " " + given + ": operand " + (furthest + 1) + " (" + operands[furthest] + ") fits no form";
        return new IllegalArgumentException(what + "; forms: " + expected);
    }

    private static String list(Operand[] operands) {
        StringBuilder list = new StringBuilder();
        for (Operand operand : operands) {
            list.append(list.isEmpty() ? "" : ", ").append(operand);
        }
        return list.toString();
    }

    private static Map<String, List<String>> lines() {
        String text;
        try (InputStream in = InstructionTable.class.getResourceAsStream("instructions.txt")) {
            if (in == null) {
                throw new IllegalStateException("instructions.txt is missing from the assembler's module");
            }
            text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Map<String, List<String>> lines = new LinkedHashMap<>();
        for (String line : text.split("\n")) {
            if (line.isEmpty() || line.charAt(0) == '#') {
                continue;
            }
            String names = line.substring(0, line.indexOf(' '));
            for (String name : names.split(",")) {
                lines.computeIfAbsent(name, _ -> new ArrayList<>(2)).add(line);
            }
        }
        return lines;
    }
}
