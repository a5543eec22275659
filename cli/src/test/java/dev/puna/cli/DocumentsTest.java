package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the documents name is there: classes, their members, files, what links point to. */
final class DocumentsTest {
    /** Documents that name the classes of today; the log and the results speak of their day. */
    private static final List<String> OF_CLASSES =
            List.of("README.md", "docs/walkthrough.md", "docs/architecture.md", "docs/papers.md", "docs/speedrun.md");

    private static final Set<String> OF_JAVA = Set.of("Arena");

    private static final Pattern CODE = Pattern.compile("`([^`\\n]+)`");
    private static final Pattern CLASS =
            Pattern.compile("(?:dev\\.puna\\.[a-z.0-9]+\\.)?([A-Z]\\w*[a-z]\\w*)(?:\\.(\\w+))?");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s#]+)(?:#[^)]*)?\\)");

    /** Files of the repository, also those named outside of links; {@code *} stands for anything. */
    private static final Pattern FILE =
            Pattern.compile("(?<![\\w/.…])((?:docs|recipes|tools|\\.ci|cli/src)/[\\w./*-]*[\\w*])");

    private static final Pattern DECLARED = Pattern.compile("\\b(?:class|record|interface|enum)\\s+([A-Z]\\w*)");

    private static final Path ROOT = root();

    private static Path root() {
        Path here = Path.of("").toAbsolutePath();
        return Files.exists(here.resolve("puna")) ? here : here.getParent(); // tests run in the folder of their module
    }

    private static List<Path> documents() throws IOException {
        try (Stream<Path> walk = Files.walk(ROOT.resolve("docs"))) {
            List<Path> all = new ArrayList<>(
                    walk.filter(path -> path.toString().endsWith(".md")).toList());
            all.add(ROOT.resolve("README.md"));
            all.add(ROOT.resolve("CHANGELOG.md"));
            return all;
        }
    }

    /** The text of the source of each class, nested ones too; several of a name one behind the other. */
    private static Map<String, String> sources() throws IOException {
        Map<String, String> sources = new HashMap<>();
        List<Path> modules;
        try (Stream<Path> folders = Files.list(ROOT)) {
            modules = folders.flatMap(
                            folder -> Stream.of(folder.resolve("src/main/java"), folder.resolve("src/test/java")))
                    .filter(Files::isDirectory)
                    .toList();
        }
        for (Path module : modules) {
            List<Path> files;
            try (Stream<Path> walk = Files.walk(module)) {
                files = walk.filter(path -> path.toString().endsWith(".java")).toList();
            }
            for (Path file : files) {
                String text = Files.readString(file);
                for (Matcher declared = DECLARED.matcher(text); declared.find(); ) {
                    sources.merge(declared.group(1), text, String::concat);
                }
            }
        }
        return sources;
    }

    @Test
    void classesAndMembersThatAreNamedAreThere() throws IOException {
        Map<String, String> sources = sources();
        TreeSet<String> missing = new TreeSet<>();
        int named = 0;
        for (String document : OF_CLASSES) {
            for (Matcher code = CODE.matcher(Files.readString(ROOT.resolve(document))); code.find(); ) {
                Matcher name = CLASS.matcher(code.group(1));
                if (!name.matches() || code.group(1).endsWith(".java") || OF_JAVA.contains(name.group(1))) {
                    continue;
                }
                named++;
                String text = sources.get(name.group(1));
                boolean there = text != null
                        && (name.group(2) == null
                                || Pattern.compile("\\b" + name.group(2) + "\\b")
                                        .matcher(text)
                                        .find());
                if (!there) {
                    missing.add(document + ": " + code.group(1));
                }
            }
        }
        assertThat(missing).isEmpty();
        assertThat(named).isGreaterThan(100);
    }

    @Test
    void filesAndLinksAreThere() throws IOException {
        TreeSet<String> missing = new TreeSet<>();
        int named = 0;
        for (Path document : documents()) {
            String text = Files.readString(document);
            for (Matcher link = LINK.matcher(text); link.find(); ) {
                String target = link.group(1);
                if (!target.contains(":")) { // no address
                    named++;
                    if (!Files.exists(document.resolveSibling(target))) {
                        missing.add(ROOT.relativize(document) + ": " + target);
                    }
                }
            }
            for (Matcher file = FILE.matcher(text); file.find(); ) {
                named++;
                if (!exists(file.group(1))) {
                    missing.add(ROOT.relativize(document) + ": " + file.group(1));
                }
            }
        }
        assertThat(missing).isEmpty();
        assertThat(named).isGreaterThan(50);
    }

    /** A file, a folder, a pattern, or the beginning of a name: {@code docs/decisions/0008}. */
    private static boolean exists(String name) throws IOException {
        Path path = ROOT.resolve(name);
        Path folder = path.getParent();
        if (Files.exists(path)) {
            return true;
        }
        if (folder == null || !Files.isDirectory(folder)) {
            return false;
        }
        PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + path.getFileName() + "*");
        try (Stream<Path> siblings = Files.list(folder)) {
            return siblings.anyMatch(sibling -> matcher.matches(sibling.getFileName()));
        }
    }
}
