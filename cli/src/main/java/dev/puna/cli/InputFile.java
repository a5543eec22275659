package dev.puna.cli;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file that a person named as input of a verb; {@code -} is standard input. */
final class InputFile {
    private InputFile() {}

    /**
     * All of its bytes.
     *
     * @throws ConfigurationException if it is a directory
     */
    static byte[] bytes(Terminal terminal, String name) throws IOException {
        if (name.equals("-")) {
            return terminal.in().readAllBytes();
        }
        Path path = Path.of(name);
        if (Files.isDirectory(path)) {
            throw new ConfigurationException("file", name, "is a directory: name a file of text");
        }
        return Files.readAllBytes(path);
    }

    /**
     * All of its text.
     *
     * @throws ConfigurationException if it is a directory, or not in UTF-8
     */
    static String text(Terminal terminal, String name) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(bytes(terminal, name));
        CharBuffer characters = CharBuffer.allocate(bytes.remaining()); // each takes a byte at least
        CoderResult result = StandardCharsets.UTF_8.newDecoder().decode(bytes, characters, true);
        if (result.isError()) {
            throw new ConfigurationException(
                    "file", name, "is not in UTF-8: the bytes from " + bytes.position() + " on are no character");
        }
        return characters.flip().toString();
    }
}
