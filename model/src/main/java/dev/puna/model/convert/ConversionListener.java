package dev.puna.model.convert;

/** Hears how far a conversion is. */
@FunctionalInterface
public interface ConversionListener {
    /** Hears nothing. */
    ConversionListener NONE = (tensor, bytesDone, bytesTotal) -> {};

    /**
     * Called before and after each tensor.
     *
     * @param tensor its name in the target
     * @param bytesDone bytes of tensors that are written
     * @param bytesTotal bytes of all tensors
     */
    void onTensor(String tensor, long bytesDone, long bytesTotal);
}
