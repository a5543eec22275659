package dev.puna.data.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.apache.spark.launcher.JavaModuleOptions;
import org.junit.jupiter.api.Test;

class JvmOptionsTest {
    @Test
    void areThoseThatThisSparkAsksFor() throws IOException {
        assertThat(Files.readAllLines(Path.of("src/main/jvm.options")).stream()
                        .filter(line -> !line.isBlank() && !line.startsWith("#")))
                .containsExactlyInAnyOrderElementsOf(
                        Stream.of(JavaModuleOptions.defaultModuleOptions().split(" "))
                                .filter(option -> !option.equals("--add-modules=jdk.incubator.vector"))
                                .filter(JvmOptionsTest::opensWhatThereIs)
                                .toList());
    }

    private static boolean opensWhatThereIs(String option) {
        if (!option.startsWith("--add-opens=")) {
            return true;
        }
        String[] place = option.substring(option.indexOf('=') + 1).split("[/=]");
        return ModuleLayer.boot()
                .findModule(place[0])
                .orElseThrow()
                .getPackages()
                .contains(place[1]);
    }
}
