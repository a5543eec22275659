package dev.puna.formats;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The pickle of a dictionary of tensors, each alone in its storage, as {@code torch.save} writes it (protocol 2). */
final class TorchPickle {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private TorchPickle() {}

    /** @param shapes of the tensors, in the same order; the key of the i-th storage is {@code i} */
    static byte[] encode(List<OutgoingTensor> tensors, List<Shape> shapes) {
        TorchPickle pickle = new TorchPickle();
        pickle.ascii("\u0080\u0002}("); // protocol 2, an empty dictionary, a mark
        Set<String> names = new HashSet<>();
        for (int i = 0; i < tensors.size(); i++) {
            OutgoingTensor tensor = tensors.get(i);
            if (!names.add(tensor.name())) {
                throw new IllegalArgumentException("two tensors are called \"" + tensor.name() + "\"");
            }
            pickle.text(tensor.name());
            pickle.tensor(storageType(tensor.dtype()), i, shapes.get(i));
        }
        pickle.ascii("u.");
        return pickle.out.toByteArray();
    }

    /** {@code _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())}. */
    private void tensor(String storageType, int key, Shape shape) {
        ascii("ctorch._utils\n_rebuild_tensor_v2\n((");
        text("storage");
        ascii("ctorch\n" + storageType + "\n");
        text(Integer.toString(key));
        text("cpu");
        number(shape.elementCount());
        ascii("tQ");
        number(0);
        ascii("(");
        for (long dim : shape.dims()) {
            number(dim);
        }
        ascii("t(");
        for (int d = 0; d < shape.rank(); d++) {
            long stride = 1;
            for (int inner = d + 1; inner < shape.rank(); inner++) {
                stride *= Math.max(1, shape.dim(inner));
            }
            number(stride);
        }
        ascii("t\u0089ccollections\nOrderedDict\n)RtR");
    }

    private void ascii(String operations) {
        out.writeBytes(operations.getBytes(StandardCharsets.ISO_8859_1));
    }

    private void text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        out.write('X');
        little(utf8.length, 4);
        out.writeBytes(utf8);
    }

    private void number(long value) {
        if (value <= Integer.MAX_VALUE) {
            out.write('J');
            little(value, 4);
        } else {
            out.write(0x8a);
            out.write(8);
            little(value, 8);
        }
    }

    private void little(long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            out.write((int) (value >>> (8 * i)));
        }
    }

    private static String storageType(DType dtype) {
        return switch (dtype) {
            case F64 -> "DoubleStorage";
            case F32 -> "FloatStorage";
            case F16 -> "HalfStorage";
            case BF16 -> "BFloat16Storage";
            case I64 -> "LongStorage";
            case I32 -> "IntStorage";
            case I16 -> "ShortStorage";
            case I8 -> "CharStorage";
            case U8 -> "ByteStorage";
            case Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS ->
                throw new ConfigurationException(
                        "tensor type", dtype, "PyTorch has no such type; write GGUF, or F16 or BF16");
        };
    }
}
