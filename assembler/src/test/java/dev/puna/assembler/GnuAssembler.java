package dev.puna.assembler;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** GNU as and objcopy, the foreign witness. */
final class GnuAssembler {
    private GnuAssembler() {}

    /** Whether both are installed, and know the newest instructions of the table. */
    static boolean isPresent() {
        try {
            Process process = new ProcessBuilder("as", "--version")
                    .redirectErrorStream(true)
                    .start();
            String version = new String(process.getInputStream().readAllBytes());
            return process.waitFor() == 0 && version.startsWith("GNU assembler");
        } catch (IOException | InterruptedException e) {
            return false;
        }
    }

    /** The bytes of the text section of this source. */
    static byte[] assemble(String source, Path directory) throws IOException, InterruptedException {
        Path text = directory.resolve("code.s");
        Path object = directory.resolve("code.o");
        Path binary = directory.resolve("code.bin");
        Files.writeString(text, source);
        run(List.of("as", "-o", object.toString(), text.toString()));
        run(List.of("objcopy", "-O", "binary", "-j", ".text", object.toString(), binary.toString()));
        return Files.readAllBytes(binary);
    }

    private static void run(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ":\n" + output);
        }
    }
}
