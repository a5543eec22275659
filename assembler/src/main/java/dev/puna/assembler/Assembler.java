package dev.puna.assembler;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Collects instructions, labels and constants, and lays them out as bytes.
 *
 * <pre>{@code
 * Assembler a = new Assembler();
 * Label loop = a.label("loop");
 * a.vxorps(zmm(0), zmm(0), zmm(0));
 * a.bind(loop);
 * a.vfmadd231ps(zmm(0), zmm(1), Memory.at(RDI, RSI, 4).broadcast());
 * a.dec(RSI);
 * a.jne(loop);
 * a.ret();
 * Code code = a.assemble();
 * }</pre>
 *
 * An operand that an instruction cannot take is refused with an {@link IllegalArgumentException} that names both, when
 * the instruction is added. Jumps are two bytes where the target is near enough, else five or six: layout begins with
 * all of them short and lengthens those that do not reach until nothing changes, as GNU as does. Constants come after
 * the code, each content once, aligned to its size (at most 64 bytes). Not thread-safe.
 */
public final class Assembler extends Instructions {
    /** The longest alignment: a cache line, and a zmm register. */
    private static final int MAX_ALIGNMENT = 64;

    /** Intel's recommended no-operations of one to nine bytes (optimization manual). */
    private static final byte[][] NOPS = nops();

    /** What fills the gaps between constants. */
    private static final byte[] TRAPS = HexFormat.of().parseHex("CC".repeat(MAX_ALIGNMENT));

    private sealed interface Item {}

    private record Emitted(Instruction instruction) implements Item {}

    private record Jump(String mnemonic, int condition, Label target) implements Item {}

    private record Bound(Label label) implements Item {}

    private record Align(int to) implements Item {}

    private record Comment(String text) implements Item {}

    private record Constant(Label label, byte[] content) {}

    private final List<Item> items = new ArrayList<>();
    private final Map<String, Constant> constants = new LinkedHashMap<>();
    private final Set<Feature> features = EnumSet.of(Feature.BASE);

    /** Nothing yet. */
    public Assembler() {}

    /** A new place, to be bound once. */
    public Label label(String name) {
        return new Label(name);
    }

    /** The place is here. */
    public void bind(Label label) {
        if (label.item >= 0) {
            throw new IllegalArgumentException("label " + label + " is already bound");
        }
        label.item = items.size();
        items.add(new Bound(label));
    }

    /** Pads with no-operations to an address divisible by {@code to}, a power of two up to 64. */
    public void align(int to) {
        if (Integer.bitCount(to) != 1 || to > MAX_ALIGNMENT) {
            throw new IllegalArgumentException("alignment is a power of two up to " + MAX_ALIGNMENT + ", not " + to);
        }
        items.add(new Align(to));
    }

    /** A line for whoever reads the listing. */
    public void comment(String text) {
        items.add(new Comment(text));
    }

    /**
     * These bytes as a constant, as memory of that size; the same content is stored once. A larger size than the
     * content's is refused by the instruction that reads it; use {@link Memory#bytes} to read less.
     */
    public Memory constant(byte... content) {
        if (content.length == 0) {
            throw new IllegalArgumentException("an empty constant");
        }
        String key = HexFormat.of().formatHex(content);
        Constant constant = constants.computeIfAbsent(
                key, _ -> new Constant(new Label("constant" + constants.size()), content.clone()));
        boolean operandSize = Integer.bitCount(content.length) == 1 && content.length <= MAX_ALIGNMENT;
        return Memory.at(constant.label).bytes(operandSize ? content.length : 0);
    }

    /** These floats as a constant. */
    public Memory constant(float... content) {
        ByteBuffer buffer = ByteBuffer.allocate(4 * content.length).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asFloatBuffer().put(content);
        return constant(buffer.array());
    }

    /** These 32-bit integers as a constant. */
    public Memory constant(int... content) {
        ByteBuffer buffer = ByteBuffer.allocate(4 * content.length).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asIntBuffer().put(content);
        return constant(buffer.array());
    }

    /** These 16-bit integers as a constant. */
    public Memory constant(short... content) {
        ByteBuffer buffer = ByteBuffer.allocate(2 * content.length).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asShortBuffer().put(content);
        return constant(buffer.array());
    }

    /** These 64-bit integers as a constant. */
    public Memory constant(long... content) {
        ByteBuffer buffer = ByteBuffer.allocate(8 * content.length).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asLongBuffer().put(content);
        return constant(buffer.array());
    }

    /** Jump. */
    public void jmp(Label target) {
        items.add(new Jump("jmp", -1, target));
    }

    /** Jump if equal, or zero. */
    public void je(Label target) {
        items.add(new Jump("je", 0x4, target));
    }

    /** Jump if not equal, or not zero. */
    public void jne(Label target) {
        items.add(new Jump("jne", 0x5, target));
    }

    /** Jump if less, signed. */
    public void jl(Label target) {
        items.add(new Jump("jl", 0xC, target));
    }

    /** Jump if greater or equal, signed. */
    public void jge(Label target) {
        items.add(new Jump("jge", 0xD, target));
    }

    /** Jump if less or equal, signed. */
    public void jle(Label target) {
        items.add(new Jump("jle", 0xE, target));
    }

    /** Jump if greater, signed. */
    public void jg(Label target) {
        items.add(new Jump("jg", 0xF, target));
    }

    /** Jump if below, unsigned, or carry. */
    public void jb(Label target) {
        items.add(new Jump("jb", 0x2, target));
    }

    /** Jump if above or equal, unsigned, or no carry. */
    public void jae(Label target) {
        items.add(new Jump("jae", 0x3, target));
    }

    /** Jump if below or equal, unsigned. */
    public void jbe(Label target) {
        items.add(new Jump("jbe", 0x6, target));
    }

    /** Jump if above, unsigned. */
    public void ja(Label target) {
        items.add(new Jump("ja", 0x7, target));
    }

    /** Jump if negative. */
    public void js(Label target) {
        items.add(new Jump("js", 0x8, target));
    }

    /** Jump if not negative. */
    public void jns(Label target) {
        items.add(new Jump("jns", 0x9, target));
    }

    /**
     * Adds an instruction by name, for generators that choose it at run time; the typed methods end here too.
     *
     * @throws IllegalArgumentException naming the instruction and the operand that it cannot take
     */
    @Override
    public void emit(String mnemonic, Operand... operands) {
        Form form = InstructionTable.find(mnemonic, operands);
        items.add(new Emitted(Encoder.encode(form, operands)));
        features.addAll(form.features());
    }

    /**
     * Lays out the code and its constants.
     *
     * @throws IllegalStateException if a label that is used was never bound
     */
    public Code assemble() {
        boolean[] near = new boolean[items.size()];
        int[] addresses = new int[items.size() + 1];
        Map<Label, Integer> pool = new LinkedHashMap<>();
        boolean changed = true;
        while (changed) {
            int address = 0;
            for (int i = 0; i < near.length; i++) {
                addresses[i] = address;
                address += length(items.get(i), address, near[i]);
            }
            addresses[near.length] = address;
            changed = false;
            for (int i = 0; i < near.length; i++) {
                if (items.get(i) instanceof Jump jump && !near[i]) {
                    int distance = addresses[item(jump.target)] - addresses[i + 1];
                    if ((byte) distance != distance) {
                        near[i] = true;
                        changed = true;
                    }
                }
            }
        }
        int end = addresses[near.length];
        for (Constant constant : constants.values()) {
            end = roundUp(end, alignment(constant));
            pool.put(constant.label, end);
            end += constant.content.length;
        }
        return write(near, addresses, pool, end);
    }

    private Code write(boolean[] near, int[] addresses, Map<Label, Integer> pool, int end) {
        ByteBuffer out = ByteBuffer.allocate(end).order(ByteOrder.LITTLE_ENDIAN);
        List<Code.Line> lines = new ArrayList<>();
        for (int i = 0; i < near.length; i++) {
            int start = addresses[i];
            int next = addresses[i + 1];
            String text = switch (items.get(i)) {
                case Emitted(Instruction instruction) -> {
                    out.put(instruction.bytes());
                    Label label = instruction.label();
                    if (label != null) {
                        int target = address(label, addresses, pool);
                        out.putInt(start + instruction.fixup(), target + instruction.addend() - next);
                    }
                    yield "";
                }
                case Jump jump -> {
                    int distance = addresses[item(jump.target)] - next;
                    if (!near[i]) {
                        out.put((byte) (jump.condition < 0 ? 0xEB : 0x70 | jump.condition));
                        out.put((byte) distance);
                    } else {
                        if (jump.condition < 0) {
                            out.put((byte) 0xE9);
                        } else {
                            out.put((byte) 0x0F).put((byte) (0x80 | jump.condition));
                        }
                        out.putInt(distance);
                    }
                    yield jump.mnemonic + " " + jump.target;
                }
                case Bound(Label label) -> label + ":";
                case Align(int to) -> {
                    padding(out, next - start);
                    yield ".balign " + to;
                }
                case Comment(String comment) -> "# " + comment;
            };
            Instruction emitted = items.get(i) instanceof Emitted(Instruction instruction) ? instruction : null;
            lines.add(new Code.Line(start, next - start, emitted, text));
        }
        for (Constant constant : constants.values()) {
            int start = address(constant.label, addresses, pool);
            int gap = start - out.position();
            if (gap > 0) {
                lines.add(new Code.Line(out.position(), gap, null, ".balign " + alignment(constant) + ", 0xCC"));
                out.put(TRAPS, 0, gap);
            }
            out.put(constant.content);
            String text =
                    constant.label + ": .byte 0x" + HexFormat.ofDelimiter(",0x").formatHex(constant.content);
            lines.add(new Code.Line(start, constant.content.length, null, text));
        }
        return new Code(out.array(), lines, features);
    }

    private int address(Label label, int[] addresses, Map<Label, Integer> pool) {
        Integer constant = pool.get(label);
        return constant != null ? constant : addresses[item(label)];
    }

    private int item(Label label) {
        if (label.item < 0
                || label.item >= items.size()
                || !(items.get(label.item) instanceof Bound(Label bound) && bound == label)) {
            throw new IllegalStateException("label " + label + " was never bound in this code");
        }
        return label.item;
    }

    /** The power of two that holds it, at most a cache line. */
    private static int alignment(Constant constant) {
        return Math.min(MAX_ALIGNMENT, Integer.highestOneBit(2 * constant.content.length - 1));
    }

    private static int length(Item item, int address, boolean near) {
        return switch (item) {
            case Emitted(Instruction instruction) -> instruction.bytes().length;
            case Jump jump -> !near ? 2 : jump.condition < 0 ? 5 : 6;
            case Align(int to) -> roundUp(address, to) - address;
            case Bound _, Comment _ -> 0;
        };
    }

    private static int roundUp(int value, int multiple) {
        return (value + multiple - 1) & -multiple;
    }

    private static void padding(ByteBuffer out, int count) {
        for (int left = count; left > 0; ) {
            byte[] nop = NOPS[Math.min(left, NOPS.length) - 1];
            out.put(nop);
            left -= nop.length;
        }
    }

    private static byte[][] nops() {
        String[] nops = {
            "90",
            "6690",
            "0F1F00",
            "0F1F4000",
            "0F1F440000",
            "660F1F440000",
            "0F1F8000000000",
            "0F1F840000000000",
            "660F1F840000000000"
        };
        byte[][] bytes = new byte[nops.length][];
        for (int i = 0; i < nops.length; i++) {
            bytes[i] = HexFormat.of().parseHex(nops[i]);
        }
        return bytes;
    }
}
