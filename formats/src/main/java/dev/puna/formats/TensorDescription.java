package dev.puna.formats;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import java.util.Optional;

/**
 * What a file says about a tensor.
 *
 * @param name the tensor's name in the file
 * @param type the format's own name of the type, {@code BF16} or {@code IQ2_XS}
 * @param dtype the same as a {@link DType}; empty for a type that Puna cannot read
 * @param shape slowest dimension first
 * @param byteSize bytes that the tensor takes
 */
public record TensorDescription(String name, String type, Optional<DType> dtype, Shape shape, long byteSize) {
    /** @throws ConfigurationException if Puna cannot read the type */
    public DType requireDType() {
        return dtype.orElseThrow(() -> new ConfigurationException(
                "tensor type",
                type,
                "Puna does not read tensors of this type (tensor \"" + name
                        + "\"); convert the model to F16, BF16, Q8_0" + " or another common type first"));
    }
}
