package dev.puna.assembler;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Assembled machine code, with what it needs of a processor and a listing for its readers. Position independent. */
public final class Code {
    private static final int BYTES_SHOWN = 16;

    private final byte[] bytes;
    private final List<Line> lines;
    private final Set<Feature> features;

    /**
     * A line of the listing.
     *
     * @param offset of its first byte in the code
     * @param length of its bytes; 0 for labels and comments
     * @param instruction an instruction, whose text is made when it is asked for
     * @param other the text of any other line
     */
    record Line(int offset, int length, @Nullable Instruction instruction, String other) {
        /** What GNU as reads in Intel syntax. */
        String text() {
            return instruction != null ? instruction.text() : other;
        }
    }

    Code(byte[] bytes, List<Line> lines, Set<Feature> features) {
        this.bytes = bytes;
        this.lines = List.copyOf(lines);
        this.features = EnumSet.copyOf(features);
    }

    /** A copy of the bytes, instructions first, constants after them. */
    public byte[] bytes() {
        return bytes.clone();
    }

    /** How many bytes, constants included. */
    public int length() {
        return bytes.length;
    }

    /** What a processor must offer to run it: the union over its instructions. */
    public Set<Feature> features() {
        return EnumSet.copyOf(features);
    }

    /** The code for human eyes: offset, bytes, instruction in Intel syntax; labels, comments, constants. */
    public String listing() {
        StringBuilder out = new StringBuilder();
        for (Line line : lines) {
            if (line.length == 0) {
                out.append(line.text().startsWith("#") ? "        " : "")
                        .append(line.text())
                        .append('\n');
                continue;
            }
            int shown = Math.min(line.length, BYTES_SHOWN);
            String hex =
                    HexFormat.ofDelimiter(" ").formatHex(Arrays.copyOfRange(bytes, line.offset, line.offset + shown));
            out.append(String.format("%6x  %-36s %s%n", line.offset, hex, line.text()));
        }
        return out.toString();
    }

    /** The same as a source file for GNU as. */
    String source() {
        StringBuilder out = new StringBuilder(".intel_syntax noprefix\n");
        for (Line line : lines) {
            out.append(line.text()).append('\n');
        }
        return out.toString();
    }
}
