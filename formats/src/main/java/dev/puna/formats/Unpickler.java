package dev.puna.formats;

import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * Python's pickle, as far as a checkpoint needs it: dictionaries of names and tensors. A pickle is a program, and
 * Python's own reader runs whatever it names; this one knows the few functions that put a tensor together and refuses
 * every other by its name. No name is ever looked up, no code is run.
 *
 * <p>Every operation takes at least a byte of the file and makes at most one object, so memory is bounded by the size
 * of the pickle, which is bounded in turn. Objects may contain each other; nobody walks them.
 *
 * @see <a href="https://github.com/python/cpython/blob/main/Lib/pickletools.py">pickletools.py, the operations</a>
 */
final class Unpickler {
    /** Checkpoints of 405 billion parameters need 0.2 MB. */
    static final long MAX_BYTES = 8 << 20;

    private static final int MAX_PROTOCOL = 5;
    private static final int MAX_STACK = 1_000_000;

    /** The classes and functions that a pickle may name; storages and types come beside them. */
    private enum Function {
        REBUILD_TENSOR_V2,
        REBUILD_TENSOR_V3,
        REBUILD_PARAMETER,
        ORDERED_DICT
    }

    /** Python's {@code None}. */
    enum None {
        NONE
    }

    /** {@code torch.FloatStorage} and its kin, or {@code torch.float32} and its kin. */
    private record ElementType(DType dtype) {}

    /** {@code torch.storage.UntypedStorage}: bytes. */
    private enum UntypedStorage {
        UNTYPED_STORAGE
    }

    private record Tuple(List<Object> items) {}

    /** A dictionary; most pickles make many empty ones, which cost nothing. */
    static final class Dict {
        private @Nullable SequencedMap<Object, Object> items;

        SequencedMap<Object, Object> items() {
            return items == null ? Collections.emptyNavigableMap() : items;
        }

        /** @return whether the key is new */
        private boolean put(Object key, Object value) {
            if (items == null) {
                items = new LinkedHashMap<>();
            }
            return items.putIfAbsent(key, value) == null;
        }
    }

    /** A list; nothing in a checkpoint reads what is in one. */
    private static final class PythonList {}

    /**
     * The bytes that tensors share.
     *
     * @param dtype the type that the storage was saved with; bytes if it has none
     * @param key the name of the member of the archive
     * @param elementCount in elements of {@code dtype}
     */
    record Storage(DType dtype, String key, long elementCount) {}

    /**
     * A strided view of a storage, as the pickle describes it.
     *
     * @param offset of the first element, in elements
     * @param size slowest dimension first
     * @param stride in elements, one for each dimension
     */
    @SuppressWarnings("ArrayRecordComponent")
    record StridedTensor(Storage storage, DType dtype, long offset, long[] size, long[] stride) {}

    private static final Map<String, Object> GLOBALS = Map.ofEntries(
            Map.entry("collections OrderedDict", Function.ORDERED_DICT),
            Map.entry("torch._utils _rebuild_tensor_v2", Function.REBUILD_TENSOR_V2),
            Map.entry("torch._utils _rebuild_tensor_v3", Function.REBUILD_TENSOR_V3),
            Map.entry("torch._utils _rebuild_parameter", Function.REBUILD_PARAMETER),
            Map.entry("torch.storage UntypedStorage", UntypedStorage.UNTYPED_STORAGE),
            Map.entry("torch UntypedStorage", UntypedStorage.UNTYPED_STORAGE),
            Map.entry("torch DoubleStorage", new ElementType(DType.F64)),
            Map.entry("torch FloatStorage", new ElementType(DType.F32)),
            Map.entry("torch HalfStorage", new ElementType(DType.F16)),
            Map.entry("torch BFloat16Storage", new ElementType(DType.BF16)),
            Map.entry("torch LongStorage", new ElementType(DType.I64)),
            Map.entry("torch IntStorage", new ElementType(DType.I32)),
            Map.entry("torch ShortStorage", new ElementType(DType.I16)),
            Map.entry("torch CharStorage", new ElementType(DType.I8)),
            Map.entry("torch ByteStorage", new ElementType(DType.U8)),
            Map.entry("torch BoolStorage", new ElementType(DType.U8)),
            Map.entry("torch float64", new ElementType(DType.F64)),
            Map.entry("torch float32", new ElementType(DType.F32)),
            Map.entry("torch float16", new ElementType(DType.F16)),
            Map.entry("torch bfloat16", new ElementType(DType.BF16)),
            Map.entry("torch int64", new ElementType(DType.I64)),
            Map.entry("torch int32", new ElementType(DType.I32)),
            Map.entry("torch int16", new ElementType(DType.I16)),
            Map.entry("torch int8", new ElementType(DType.I8)),
            Map.entry("torch uint8", new ElementType(DType.U8)),
            Map.entry("torch bool", new ElementType(DType.U8)));

    private final FileCursor in;
    private final ArrayList<Object> stack = new ArrayList<>();
    private final Deque<Integer> marks = new ArrayDeque<>();
    private final Map<Long, Object> memo = new HashMap<>();
    private long operationAt;

    Unpickler(FileCursor in) {
        this.in = in;
    }

    /** Runs the pickle to its end and gives the object that it makes. */
    Object load() {
        if (in.remaining() > MAX_BYTES) {
            throw in.corrupt("a pickle of at most " + MAX_BYTES + " bytes", in.remaining() + " bytes");
        }
        while (true) {
            operationAt = in.offset();
            int operation = in.u8("a pickle operation");
            if (operation == '.') {
                Object result = pop();
                if (!stack.isEmpty() || !marks.isEmpty()) {
                    throw corrupt("one object at the end of the pickle", "more");
                }
                return result;
            }
            run(operation);
            if (stack.size() > MAX_STACK) {
                throw corrupt("at most " + MAX_STACK + " objects on the stack", "more");
            }
        }
    }

    private CorruptFileException corrupt(String expected, String found) {
        return in.corruptAt(operationAt, expected, found);
    }

    private void run(int operation) {
        switch (operation) {
            case 0x80 -> { // PROTO
                int protocol = in.u8("protocol");
                if (protocol > MAX_PROTOCOL) {
                    throw corrupt("a pickle of protocol 2 to " + MAX_PROTOCOL, "protocol " + protocol);
                }
            }
            case 0x95 -> in.require(in.i64("length of a frame"), "a frame"); // FRAME: only a hint
            case '(' -> marks.push(stack.size());
            case 'N' -> push(None.NONE);
            case 0x88 -> push(true);
            case 0x89 -> push(false);
            case 'J' -> push((long) in.i32("a number"));
            case 'K' -> push((long) in.u8("a number"));
            case 'M' -> push((long) in.u16("a number"));
            case 0x8a -> push(longNumber()); // LONG1
            case 'G' -> push(Double.longBitsToDouble(Long.reverseBytes(in.i64("a number")))); // BINFLOAT
            case 'X' -> push(in.utf8(in.u32("length of a text"), "a text")); // BINUNICODE
            case 0x8c -> push(in.utf8(in.u8("length of a text"), "a text")); // SHORT_BINUNICODE
            case 0x8d -> push(in.utf8(in.i64("length of a text"), "a text")); // BINUNICODE8
            case 'U' -> push(in.utf8(in.u8("length of a text"), "a text")); // SHORT_BINSTRING, Python 2
            case '}' -> push(new Dict());
            case ']' -> push(new PythonList());
            case ')' -> push(new Tuple(List.of()));
            case 0x85 -> push(tuple(1));
            case 0x86 -> push(tuple(2));
            case 0x87 -> push(tuple(3));
            case 't' -> push(tuple(sinceMark()));
            case 'a' -> { // APPEND
                pop();
                peek(PythonList.class, "a list");
            }
            case 'e' -> { // APPENDS
                drop(sinceMark());
                peek(PythonList.class, "a list");
            }
            case 's' -> setItems(2);
            case 'u' -> setItems(sinceMark());
            case 'q' -> memo.put((long) in.u8("memo"), peek(Object.class, "an object"));
            case 'r' -> memo.put(in.u32("memo"), peek(Object.class, "an object"));
            case 0x94 -> memo.put((long) memo.size(), peek(Object.class, "an object")); // MEMOIZE
            case 'h' -> push(remembered(in.u8("memo")));
            case 'j' -> push(remembered(in.u32("memo")));
            case 'c' -> push(global(line(), line()));
            case 0x93 -> { // STACK_GLOBAL
                String name = pop(String.class, "a name");
                push(global(pop(String.class, "a module"), name));
            }
            case 'Q' -> push(storage(pop(Tuple.class, "a tuple"))); // BINPERSID
            case 'R' -> {
                Tuple arguments = pop(Tuple.class, "a tuple");
                push(call(pop(Function.class, "a function"), arguments.items()));
            }
            case 'b' -> { // BUILD: attributes of an OrderedDict (_metadata), which are not needed
                pop();
                peek(Dict.class, "a dictionary");
            }
            default ->
                throw corrupt(
                        "an operation that checkpoints need",
                        String.format(java.util.Locale.ROOT, "pickle operation 0x%02x", operation));
        }
    }

    private void push(Object value) {
        stack.add(value);
    }

    private Object pop() {
        int floor = marks.isEmpty() ? 0 : marks.peek();
        if (stack.size() <= floor) {
            throw corrupt("an object on the stack", "none");
        }
        return stack.removeLast();
    }

    private <T> T pop(Class<T> type, String what) {
        return cast(pop(), type, what);
    }

    private <T> T peek(Class<T> type, String what) {
        if (stack.isEmpty()) {
            throw corrupt(what + " on the stack", "none");
        }
        return cast(stack.getLast(), type, what);
    }

    private <T> T cast(Object value, Class<T> type, String what) {
        if (!type.isInstance(value)) {
            throw corrupt(what, value.getClass().getSimpleName());
        }
        return type.cast(value);
    }

    private int sinceMark() {
        if (marks.isEmpty()) {
            throw corrupt("a mark", "none");
        }
        return stack.size() - marks.pop();
    }

    private void drop(int count) {
        for (int i = 0; i < count; i++) {
            pop();
        }
    }

    private Tuple tuple(int count) {
        Object[] items = new Object[count];
        for (int i = count - 1; i >= 0; i--) {
            items[i] = pop();
        }
        return new Tuple(Arrays.asList(items));
    }

    private void setItems(int count) {
        List<Object> items = tuple(count).items();
        if (count % 2 != 0) {
            throw corrupt("pairs of keys and values", count + " objects");
        }
        Dict dict = peek(Dict.class, "a dictionary");
        for (int i = 0; i < count; i += 2) {
            Object key = items.get(i);
            if (!(key instanceof String || key instanceof Long)) {
                throw corrupt("a text or a number as key", key.getClass().getSimpleName());
            }
            if (!dict.put(key, items.get(i + 1))) {
                throw corrupt("each name once", "\"" + key + "\" again");
            }
        }
    }

    private Object remembered(long number) {
        Object value = memo.get(number);
        if (value == null) {
            throw corrupt("an object that was remembered", "memo " + number);
        }
        return value;
    }

    private long longNumber() {
        int length = in.u8("length of a number");
        if (length > Long.BYTES) {
            throw corrupt("a number of 64 bits", length + " bytes");
        }
        long value = 0;
        for (int i = 0; i < length; i++) {
            value |= (long) in.u8("a number") << (8 * i);
        }
        int unused = Long.SIZE - 8 * length;
        return length == 0 ? 0 : value << unused >> unused;
    }

    private String line() {
        StringBuilder text = new StringBuilder();
        for (int c = in.u8("a name"); c != '\n'; c = in.u8("a name")) {
            if (text.length() == 256 || c < ' ' || c > '~') {
                throw corrupt("the name of a class", "\"" + text + "…\"");
            }
            text.append((char) c);
        }
        return text.toString();
    }

    private Object global(String module, String name) {
        Object known = GLOBALS.get(module + " " + name);
        if (known == null) {
            String shown = module + "." + name;
            throw corrupt(
                    "only what checkpoints of tensors need",
                    "a call of " + shown.substring(0, Math.min(shown.length(), 200))
                            + ": refused, a pickle can run any code");
        }
        return known;
    }

    /** {@code ('storage', torch.FloatStorage, '0', 'cpu', 4096)}. */
    private Storage storage(Tuple id) {
        List<Object> items = id.items();
        if (items.size() != 5
                || !"storage".equals(items.get(0))
                || !(items.get(2) instanceof String key)
                || !(items.get(4) instanceof Long count)
                || count < 0) {
            throw corrupt("('storage', type, key, device, count)", "something else");
        }
        return switch (items.get(1)) {
            case ElementType(DType dtype) -> new Storage(dtype, key, count);
            case UntypedStorage bytes -> new Storage(DType.U8, key, count);
            case Object other ->
                throw corrupt("a type of storage", other.getClass().getSimpleName());
        };
    }

    private Object call(Function function, List<Object> arguments) {
        return switch (function) {
            case ORDERED_DICT -> {
                if (!arguments.isEmpty()) {
                    throw corrupt("an empty OrderedDict", arguments.size() + " arguments");
                }
                yield new Dict();
            }
            case REBUILD_PARAMETER -> cast(argument(arguments, 0), StridedTensor.class, "a tensor");
            case REBUILD_TENSOR_V2 -> {
                Storage storage = cast(argument(arguments, 0), Storage.class, "a storage");
                yield tensor(storage, storage.dtype(), arguments);
            }
            case REBUILD_TENSOR_V3 -> {
                Storage storage = cast(argument(arguments, 0), Storage.class, "a storage");
                yield tensor(
                        storage,
                        cast(argument(arguments, 6), ElementType.class, "a type")
                                .dtype(),
                        arguments);
            }
        };
    }

    private Object argument(List<Object> arguments, int i) {
        if (i >= arguments.size()) {
            throw corrupt("more arguments", arguments.size() + " arguments");
        }
        return arguments.get(i);
    }

    private StridedTensor tensor(Storage storage, DType dtype, List<Object> arguments) {
        long offset = cast(argument(arguments, 1), Long.class, "an offset");
        long[] size = longs(cast(argument(arguments, 2), Tuple.class, "a shape"));
        long[] stride = longs(cast(argument(arguments, 3), Tuple.class, "strides"));
        if (size.length != stride.length) {
            throw corrupt("a stride for each of " + size.length + " dimensions", stride.length + " strides");
        }
        if (offset < 0) {
            throw corrupt("an offset of at least 0", Long.toString(offset));
        }
        return new StridedTensor(storage, dtype, offset, size, stride);
    }

    private long[] longs(Tuple tuple) {
        if (tuple.items().size() > 16) {
            throw corrupt("at most 16 dimensions", tuple.items().size() + " dimensions");
        }
        long[] values = new long[tuple.items().size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = cast(tuple.items().get(i), Long.class, "a number");
            if (values[i] < 0) {
                throw corrupt("extents and strides of at least 0", Long.toString(values[i]));
            }
        }
        return values;
    }
}
