package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The house stands: nothing imports upward, and on its own floor only what is listed (docs/architecture.md). All modules
 * that are built are looked at, also those that the command line does not use.
 */
final class FloorsTest {
    /** The floor of every module; a new module must find its place here. */
    private static final Map<String, Integer> FLOORS = Map.ofEntries(
            Map.entry("tensor", 0),
            Map.entry("assembler", 0),
            Map.entry("kernels", 1),
            Map.entry("formats", 1),
            Map.entry("tokenizer", 1),
            Map.entry("collectives", 1),
            Map.entry("kernels.x86", 2),
            Map.entry("kernels.cuda", 2),
            Map.entry("model", 2),
            Map.entry("data", 2),
            Map.entry("training", 3),
            Map.entry("inference", 3),
            Map.entry("data.spark", 3),
            Map.entry("alignment", 4),
            Map.entry("evaluation", 4),
            Map.entry("server", 4),
            Map.entry("speedrun", 4),
            Map.entry("langchain4j", 4),
            Map.entry("cli", 5));

    /** Found by ServiceLoader, never imported. */
    private static final Set<String> NEVER_IMPORTED = Set.of("kernels.x86", "kernels.cuda");

    @Test
    void nothingImportsUpwardOrSideways() throws IOException {
        JavaClasses classes = new ClassFileImporter().importPaths(builtModules());
        Set<String> seen = new TreeSet<>();
        Set<String> broken = new TreeSet<>();
        for (JavaClass type : classes) {
            String from = moduleOf(type.getPackageName());
            seen.add(from);
            for (Dependency dependency : type.getDirectDependenciesFromSelf()) {
                String target =
                        dependency.getTargetClass().getBaseComponentType().getPackageName();
                if (target.startsWith("dev.puna.")) {
                    String to = moduleOf(target);
                    boolean allowed =
                            from.equals(to) || FLOORS.get(to) < FLOORS.get(from) && !NEVER_IMPORTED.contains(to);
                    if (!allowed) {
                        broken.add(from + " -> " + to + ": " + dependency.getDescription());
                    }
                }
            }
        }
        // The command line's own modules are built before it; langchain4j and the like perhaps after.
        assertThat(seen).containsAll(modulesOf(root().resolve("cli/pom.xml"), new TreeSet<>()));
        assertThat(FLOORS.keySet()).containsAll(modules());
        assertThat(broken).isEmpty();
    }

    /** {@code dev.puna.kernels.x86.Leaf} is of {@code kernels.x86}: the longest name that fits. */
    private static String moduleOf(String packageName) {
        return FLOORS.keySet().stream()
                .filter(module -> (packageName + ".").startsWith("dev.puna." + module + "."))
                .max(Comparator.comparingInt(String::length))
                .orElseThrow(() -> new AssertionError(packageName + " is on no floor"));
    }

    /** The modules that pom.xml names, as {@link #FLOORS} spells them. */
    private static Set<String> modules() throws IOException {
        return matches(root().resolve("pom.xml"), "<module>([^<]+)</module>");
    }

    /** The modules that a pom.xml depends on, by way of others too. */
    private static Set<String> modulesOf(Path pom, Set<String> found) throws IOException {
        for (String module : matches(pom, "<artifactId>puna-([^<]+)</artifactId>")) {
            Path other = root().resolve(module.replace('.', '-')).resolve("pom.xml");
            if (Files.exists(other) && found.add(module)) {
                modulesOf(other, found);
            }
        }
        return found;
    }

    private static Set<String> matches(Path file, String pattern) throws IOException {
        return Pattern.compile(pattern)
                .matcher(Files.readString(file))
                .results()
                .map(match -> match.group(1).replace('-', '.'))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static Path root() {
        Path root = Path.of("").toAbsolutePath();
        return Files.exists(root.resolve("puna")) ? root : root.getParent(); // tests run in the folder of their module
    }

    private static List<Path> builtModules() throws IOException {
        try (Stream<Path> folders = Files.list(root())) {
            return folders.map(folder -> folder.resolve("target/classes/dev/puna"))
                    .filter(Files::isDirectory)
                    .toList();
        }
    }
}
