package dev.puna.inference;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/** A LoRA adapter as PEFT writes it, with random weights for the queries of the first layer. */
public final class TinyAdapter {
    private static final int RANK = 2;

    private TinyAdapter() {}

    /**
     * Writes a PEFT directory.
     *
     * @param width of the model; its heads together are as wide
     * @param size of the weights: the larger, the more an answer differs from the model's own
     */
    public static Path write(Path directory, int width, float size, long seed) throws IOException {
        Files.createDirectories(directory);
        Files.writeString(
                directory.resolve("adapter_config.json"),
                "{\"peft_type\":\"LORA\",\"r\":" + RANK + ",\"lora_alpha\":" + RANK
                        + ",\"target_modules\":[\"q_proj\"],\"bias\":\"none\"}");
        int bytes = Float.BYTES * RANK * width;
        String name = "\"base_model.model.model.layers.0.self_attn.q_proj.lora_";
        byte[] header = ("{" + name + "A.weight\":{\"dtype\":\"F32\",\"shape\":[" + RANK + "," + width
                        + "],\"data_offsets\":[0," + bytes + "]}," + name + "B.weight\":{\"dtype\":\"F32\",\"shape\":["
                        + width + "," + RANK + "],\"data_offsets\":[" + bytes + "," + 2 * bytes + "]}}")
                .getBytes(StandardCharsets.UTF_8);
        ByteBuffer file =
                ByteBuffer.allocate(Long.BYTES + header.length + 2 * bytes).order(ByteOrder.LITTLE_ENDIAN);
        file.putLong(header.length).put(header);
        Random random = new Random(seed);
        while (file.hasRemaining()) {
            file.putFloat((float) (size * random.nextGaussian()));
        }
        Files.write(directory.resolve("adapter_model.safetensors"), file.array());
        return directory;
    }
}
