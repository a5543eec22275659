package dev.puna.training;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * A TensorBoard event file: TFRecord frames (length, masked CRC-32C of it, payload, masked CRC-32C of that) around
 * {@code Event} messages of tensorflow/core/util/event.proto, of which scalars need five fields and the mark of a
 * restart two.
 */
final class EventFile implements AutoCloseable {
    private final OutputStream out;

    EventFile(Path directory) throws IOException {
        Files.createDirectories(directory);
        long now = System.currentTimeMillis();
        this.out =
                Files.newOutputStream(directory.resolve("events.out.tfevents." + now / 1000 + ".puna." + now % 1000));
        ByteArrayOutputStream event = new ByteArrayOutputStream();
        fixed64(event, 1, Double.doubleToRawLongBits(now / 1000.0));
        bytes(event, 3, "brain.Event:2".getBytes(StandardCharsets.UTF_8));
        frame(event.toByteArray());
    }

    /** The run goes on from {@code step}: TensorBoard then drops what it had at and after it. */
    void restart(long step) throws IOException {
        ByteArrayOutputStream session = new ByteArrayOutputStream();
        varint(session, 1 << 3); // SessionLog.status
        varint(session, 1); // START
        ByteArrayOutputStream event = new ByteArrayOutputStream();
        fixed64(event, 1, Double.doubleToRawLongBits(System.currentTimeMillis() / 1000.0));
        varint(event, 2 << 3);
        varint(event, step);
        bytes(event, 7, session.toByteArray());
        frame(event.toByteArray());
    }

    void scalar(String tag, long step, double value) throws IOException {
        ByteArrayOutputStream scalar = new ByteArrayOutputStream();
        bytes(scalar, 1, tag.getBytes(StandardCharsets.UTF_8));
        varint(scalar, 2 << 3 | 5);
        scalar.write(little(4).putInt(Float.floatToRawIntBits((float) value)).array());
        ByteArrayOutputStream summary = new ByteArrayOutputStream();
        bytes(summary, 1, scalar.toByteArray());
        ByteArrayOutputStream event = new ByteArrayOutputStream();
        fixed64(event, 1, Double.doubleToRawLongBits(System.currentTimeMillis() / 1000.0));
        varint(event, 2 << 3);
        varint(event, step);
        bytes(event, 5, summary.toByteArray());
        frame(event.toByteArray());
    }

    private static void fixed64(ByteArrayOutputStream to, int field, long value) {
        varint(to, (long) field << 3 | 1);
        to.writeBytes(little(8).putLong(value).array());
    }

    private static void bytes(ByteArrayOutputStream to, int field, byte[] value) {
        varint(to, (long) field << 3 | 2);
        varint(to, value.length);
        to.writeBytes(value);
    }

    private static void varint(ByteArrayOutputStream to, long value) {
        while ((value & ~0x7FL) != 0) {
            to.write((int) ((value & 0x7F) | 0x80));
            value >>>= 7;
        }
        to.write((int) value);
    }

    private static ByteBuffer little(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static int maskedCrc(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        int value = (int) crc.getValue();
        return (value >>> 15 | value << 17) + 0xa282ead8;
    }

    private void frame(byte[] payload) throws IOException {
        byte[] length = little(8).putLong(payload.length).array();
        out.write(length);
        out.write(little(4).putInt(maskedCrc(length)).array());
        out.write(payload);
        out.write(little(4).putInt(maskedCrc(payload)).array());
        out.flush();
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
