package dev.puna.assembler;

/**
 * What one operand of a form may be.
 *
 * @param source the pattern as messages show it
 * @param kinds set of {@code Kind}s, one bit each
 * @param maskable those of them that may carry a write mask
 * @param zeroable those of them that may carry a zeroing mask
 * @param maskRequired whether a mask must be given (gathers and scatters)
 * @param memoryBytes size of the memory that is accessed; 0 if any will do
 * @param elementBytes size of the element that is broadcast or gathered; 0 if none
 * @param immediateBytes bytes of an immediate in the encoding
 */
record OperandPattern(
        String source,
        long kinds,
        long maskable,
        long zeroable,
        boolean maskRequired,
        int memoryBytes,
        int elementBytes,
        int immediateBytes) {

    /** The kinds of operands that patterns tell apart. HIGH registers have numbers above 15: EVEX only. */
    @SuppressWarnings("EnumOrdinal") // a bit each
    enum Kind {
        R8,
        R16,
        R32,
        R64,
        EAX,
        RAX,
        CL,
        XMM,
        YMM,
        ZMM,
        XMM_HIGH,
        YMM_HIGH,
        ZMM_HIGH,
        K,
        TMM,
        MEMORY,
        BROADCAST,
        VECTOR_INDEX_X,
        VECTOR_INDEX_Y,
        VECTOR_INDEX_Z,
        VECTOR_INDEX_X_HIGH,
        VECTOR_INDEX_Y_HIGH,
        VECTOR_INDEX_Z_HIGH,
        ONE,
        I8,
        I8S,
        I8S_OF_32,
        I32,
        I32S,
        I64;

        long bit() {
            return 1L << ordinal();
        }
    }

    static final long GP = Kind.R8.bit() | Kind.R16.bit() | Kind.R32.bit() | Kind.R64.bit();
    static final long IMPLICIT = Kind.EAX.bit() | Kind.RAX.bit() | Kind.CL.bit();
    static final long VECTORS = Kind.XMM.bit()
            | Kind.YMM.bit()
            | Kind.ZMM.bit()
            | Kind.XMM_HIGH.bit()
            | Kind.YMM_HIGH.bit()
            | Kind.ZMM_HIGH.bit();
    static final long IMMEDIATES = Kind.ONE.bit()
            | Kind.I8.bit()
            | Kind.I8S.bit()
            | Kind.I8S_OF_32.bit()
            | Kind.I32.bit()
            | Kind.I32S.bit()
            | Kind.I64.bit();

    static boolean dependsOnLength(String alternative) {
        String token = alternative.replaceAll("\\{.*", "");
        return switch (token) {
            case "v", "h", "q", "e", "m", "mh", "mq", "me", "vmv", "vmh" -> true;
            default -> false;
        };
    }

    static OperandPattern parse(String pattern, int length, char space, boolean wide, String allOperands) {
        int vectorBytes = 16 << length;
        boolean high = space == 'E';
        long kinds = 0;
        long maskable = 0;
        long zeroable = 0;
        boolean maskRequired = false;
        int memoryBytes = 0;
        int elementBytes = 0;
        int immediateBytes = 0;
        StringBuilder source = new StringBuilder();
        for (String alternative : pattern.split("/")) {
            int brace = alternative.indexOf('{');
            String token = brace < 0 ? alternative : alternative.substring(0, brace);
            String mask = brace < 0 ? "" : alternative.substring(brace);
            String shown = token;
            long kind = 0;
            switch (token) {
                case "r8" -> kind = Kind.R8.bit();
                case "r16" -> kind = Kind.R16.bit();
                case "r32" -> kind = Kind.R32.bit();
                case "r64" -> kind = Kind.R64.bit();
                case "eax" -> kind = Kind.EAX.bit();
                case "rax" -> kind = Kind.RAX.bit();
                case "cl" -> kind = Kind.CL.bit();
                case "x", "y", "z", "v", "h", "q", "e" -> {
                    int bytes = switch (token) {
                        case "x" -> 16;
                        case "y" -> 32;
                        case "z" -> 64;
                        case "v" -> vectorBytes;
                        case "h" -> Math.max(16, vectorBytes / 2);
                        case "q" -> Math.max(16, vectorBytes / 4);
                        default -> 16;
                    };
                    kind = vector(bytes, high);
                    shown = (bytes == 16 ? "xmm" : bytes == 32 ? "ymm" : "zmm") + (high ? "" : "0-15");
                }
                case "k" -> kind = Kind.K.bit();
                case "t" -> kind = Kind.TMM.bit();
                case "m", "mh", "mq", "me", "m8", "m16", "m32", "m64", "m128", "m256", "m512" -> {
                    memoryBytes = switch (token) {
                        case "m" -> vectorBytes;
                        case "mh" -> vectorBytes / 2;
                        case "mq" -> vectorBytes / 4;
                        case "me" -> vectorBytes / 8;
                        default -> Integer.parseInt(token.substring(1)) / 8;
                    };
                    kind = Kind.MEMORY.bit();
                    shown = "m" + 8 * memoryBytes;
                }
                case "any", "tile" -> {
                    kind = Kind.MEMORY.bit();
                    shown = token.equals("tile") ? "tile" : "m";
                }
                case "b16", "b32", "b64" -> {
                    kind = Kind.BROADCAST.bit();
                    elementBytes = Integer.parseInt(token.substring(1)) / 8;
                    shown = "m" + 8 * elementBytes + "bcst";
                }
                case "vmv", "vmh" -> {
                    int bytes = token.equals("vmv") ? vectorBytes : Math.max(16, vectorBytes / 2);
                    kind = bytes == 16
                            ? Kind.VECTOR_INDEX_X.bit() | (high ? Kind.VECTOR_INDEX_X_HIGH.bit() : 0)
                            : bytes == 32
                                    ? Kind.VECTOR_INDEX_Y.bit() | (high ? Kind.VECTOR_INDEX_Y_HIGH.bit() : 0)
                                    : Kind.VECTOR_INDEX_Z.bit() | (high ? Kind.VECTOR_INDEX_Z_HIGH.bit() : 0);
                    elementBytes = wide ? 8 : 4;
                    shown = "vm" + 8 * bytes;
                }
                case "one" -> kind = Kind.ONE.bit();
                case "i8", "i8s" -> {
                    kind = token.equals("i8")
                            ? Kind.I8.bit()
                            : allOperands.contains("r32") ? Kind.I8S_OF_32.bit() : Kind.I8S.bit();
                    immediateBytes = 1;
                }
                case "i32", "i32s" -> {
                    kind = token.equals("i32") ? Kind.I32.bit() : Kind.I32S.bit();
                    immediateBytes = 4;
                }
                case "i64" -> {
                    kind = Kind.I64.bit();
                    immediateBytes = 8;
                }
                default -> throw new IllegalStateException("instructions.txt: operand " + token);
            }
            kinds |= kind;
            if (!mask.isEmpty()) {
                maskable |= kind;
                zeroable |= mask.equals("{kz}") ? kind : 0;
                maskRequired |= mask.equals("{K}");
            }
            source.append(source.isEmpty() ? "" : "/").append(shown).append(mask);
        }
        return new OperandPattern(
                source.toString(), kinds, maskable, zeroable, maskRequired, memoryBytes, elementBytes, immediateBytes);
    }

    private static long vector(int bytes, boolean high) {
        return switch (bytes) {
            case 16 -> Kind.XMM.bit() | (high ? Kind.XMM_HIGH.bit() : 0);
            case 32 -> Kind.YMM.bit() | (high ? Kind.YMM_HIGH.bit() : 0);
            default -> Kind.ZMM.bit() | (high ? Kind.ZMM_HIGH.bit() : 0);
        };
    }

    boolean isImmediate() {
        return (kinds & IMMEDIATES) != 0;
    }

    boolean accepts(Operand operand) {
        return switch (operand) {
            case Masked masked ->
                (kindsOf(masked.target()) & (masked.zeroing() ? zeroable : maskable)) != 0
                        && fitsMemory(masked.target());
            case Memory memory -> (kindsOf(memory) & kinds) != 0 && !maskRequired && fitsMemory(memory);
            default -> (kindsOf(operand) & kinds) != 0 && !maskRequired;
        };
    }

    private boolean fitsMemory(Operand operand) {
        if (!(operand instanceof Memory memory)) {
            return true;
        }
        if (memory.lanes() != 0) {
            return (memory.bytes() == 0 || memory.bytes() == elementBytes)
                    && (memory.lanes() == -1 || memory.lanes() == broadcastLanes());
        }
        int expected = memory.index() instanceof Vec ? elementBytes : memoryBytes;
        return memory.bytes() == 0 || expected == 0 || memory.bytes() == expected;
    }

    int broadcastLanes() {
        return elementBytes == 0 ? 0 : memoryBytes / elementBytes;
    }

    private static long kindsOf(Operand operand) {
        return switch (operand) {
            case Gp64 register -> Kind.R64.bit() | (register == Gp64.RAX ? Kind.RAX.bit() : 0);
            case Gp32 register -> Kind.R32.bit() | (register == Gp32.EAX ? Kind.EAX.bit() : 0);
            case Gp16 _ -> Kind.R16.bit();
            case Gp8 register -> Kind.R8.bit() | (register == Gp8.CL ? Kind.CL.bit() : 0);
            case Vec vector -> {
                Kind kind = switch (vector.bytes()) {
                    case 16 -> vector.number() < 16 ? Kind.XMM : Kind.XMM_HIGH;
                    case 32 -> vector.number() < 16 ? Kind.YMM : Kind.YMM_HIGH;
                    default -> vector.number() < 16 ? Kind.ZMM : Kind.ZMM_HIGH;
                };
                yield kind.bit();
            }
            case Mask _ -> Kind.K.bit();
            case Tile _ -> Kind.TMM.bit();
            case Memory memory -> {
                if (memory.index() instanceof Vec index) {
                    Kind kind = switch (index.bytes()) {
                        case 16 -> index.number() < 16 ? Kind.VECTOR_INDEX_X : Kind.VECTOR_INDEX_X_HIGH;
                        case 32 -> index.number() < 16 ? Kind.VECTOR_INDEX_Y : Kind.VECTOR_INDEX_Y_HIGH;
                        default -> index.number() < 16 ? Kind.VECTOR_INDEX_Z : Kind.VECTOR_INDEX_Z_HIGH;
                    };
                    yield memory.lanes() == 0 ? kind.bit() : 0;
                }
                yield memory.lanes() == 0 ? Kind.MEMORY.bit() : Kind.BROADCAST.bit();
            }
            case Masked _ -> 0;
            case Immediate immediate -> {
                long value = immediate.value();
                long kinds = Kind.I64.bit();
                kinds |= value == 1 ? Kind.ONE.bit() : 0;
                kinds |= value >= 0 && value <= 255 ? Kind.I8.bit() : 0;
                kinds |= (byte) value == value ? Kind.I8S.bit() : 0;
                kinds |= (int) value == value ? Kind.I32S.bit() : 0;
                if (value >= Integer.MIN_VALUE && value <= 0xFFFF_FFFFL) {
                    kinds |= Kind.I32.bit();
                    kinds |= (byte) value == (int) value ? Kind.I8S_OF_32.bit() : 0;
                }
                yield kinds;
            }
        };
    }

    /** An operand of this pattern in Intel syntax, with the size of memory in front. */
    String text(Operand operand) {
        return switch (operand) {
            case Masked masked -> {
                String mask = "{" + masked.mask() + "}" + (masked.zeroing() ? "{z}" : "");
                yield text(masked.target()) + mask;
            }
            case Memory memory -> {
                if (memory.lanes() != 0) {
                    yield size(elementBytes) + memory + "{1to" + broadcastLanes() + "}";
                }
                yield size(memory.index() instanceof Vec ? elementBytes : memoryBytes) + memory;
            }
            default -> operand.toString();
        };
    }

    private static String size(int bytes) {
        return switch (bytes) {
            case 1 -> "BYTE PTR ";
            case 2 -> "WORD PTR ";
            case 4 -> "DWORD PTR ";
            case 8 -> "QWORD PTR ";
            case 16 -> "XMMWORD PTR ";
            case 32 -> "YMMWORD PTR ";
            case 64 -> "ZMMWORD PTR ";
            default -> "";
        };
    }
}
