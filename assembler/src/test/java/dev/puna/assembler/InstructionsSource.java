package dev.puna.assembler;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Writes {@code Instructions.java}, one typed method per mnemonic and shape of operands, from the instruction table.
 * Run it after changing the table; {@code InstructionTableTest} fails until it has been.
 */
final class InstructionsSource {
    private InstructionsSource() {}

    /** Writes the file that is named in the first argument. */
    static void main(String[] args) throws IOException {
        Files.writeString(Path.of(args[0]), source());
    }

    static String source() {
        StringBuilder out = new StringBuilder();
        out.append("""
                package dev.puna.assembler;

                /**
                 * A method per instruction, in the operand order of Intel's manuals: the destination first. Made from {@code
                 * instructions.txt} by {@code InstructionsSource} in the tests; what an {@link Operand} may be is written there, and
                 * checked when the instruction is added.
                 */
                @SuppressWarnings({"MissingJavadoc", "checkstyle:MethodName"})
                public abstract sealed class Instructions permits Assembler {
                    Instructions() {}

                    /** Adds an instruction. */
                    public abstract void emit(String mnemonic, Operand... operands);
                """);
        for (String mnemonic : InstructionTable.mnemonics()) {
            for (String signature : signatures(mnemonic)) {
                out.append(signature);
            }
        }
        return out.append("}\n").toString();
    }

    /** One method for each number of operands and place of immediates. */
    private static Set<String> signatures(String mnemonic) {
        Set<String> shapes = new LinkedHashSet<>();
        for (Form form : InstructionTable.forms(mnemonic)) {
            shapes.add(shape(form));
        }
        Set<String> methods = new LinkedHashSet<>();
        for (String shape : shapes) {
            List<Form> forms = new ArrayList<>();
            for (Form form : InstructionTable.forms(mnemonic)) {
                if (shape(form).equals(shape)) {
                    forms.add(form);
                }
            }
            methods.add(method(mnemonic, forms));
        }
        return methods;
    }

    private static String shape(Form form) {
        StringBuilder shape = new StringBuilder();
        for (OperandPattern pattern : form.operands()) {
            shape.append(pattern.isImmediate() ? 'i' : 'o');
        }
        return shape.toString();
    }

    private static String method(String mnemonic, List<Form> forms) {
        StringBuilder parameters = new StringBuilder();
        StringBuilder arguments = new StringBuilder();
        int count = forms.getFirst().operands().size();
        String[] names = {"a", "b", "c", "d"};
        for (int i = 0; i < count; i++) {
            long kinds = 0;
            long maskable = 0;
            for (Form form : forms) {
                kinds |= form.operands().get(i).kinds();
                maskable |= form.operands().get(i).maskable();
            }
            String type = type(kinds, maskable);
            boolean immediate = (kinds & OperandPattern.IMMEDIATES) != 0;
            String name = immediate ? "immediate" : names[i];
            parameters.append(i == 0 ? "" : ", ").append(type).append(' ').append(name);
            arguments.append(", ").append(immediate ? "new Immediate(immediate)" : name);
        }
        String name = mnemonic;
        if (mnemonic.startsWith("{vex}")) {
            name = "vex" + mnemonic.substring(5, 6).toUpperCase(java.util.Locale.ROOT) + mnemonic.substring(6);
        }
        return "\n    public void " + name + "(" + parameters + ") {\n        emit(\"" + mnemonic + "\"" + arguments
                + ");\n    }\n";
    }

    private static String type(long kinds, long maskable) {
        long wide = OperandPattern.Kind.I32.bit() | OperandPattern.Kind.I64.bit();
        if ((kinds & OperandPattern.IMMEDIATES) != 0) {
            return (kinds & wide) != 0 ? "long" : "int";
        }
        if (maskable == 0) {
            if ((kinds & ~(OperandPattern.GP | OperandPattern.IMPLICIT)) == 0) {
                return "Gp";
            }
            if ((kinds & ~OperandPattern.VECTORS) == 0) {
                return "Vec";
            }
            if (kinds == OperandPattern.Kind.K.bit()) {
                return "Mask";
            }
            if (kinds == OperandPattern.Kind.TMM.bit()) {
                return "Tile";
            }
            if (kinds == OperandPattern.Kind.MEMORY.bit()) {
                return "Memory";
            }
        }
        return "Operand";
    }
}
