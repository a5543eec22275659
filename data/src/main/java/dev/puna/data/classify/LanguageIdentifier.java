package dev.puna.data.classify;

import dev.puna.tensor.CorruptFileException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.text.DateFormatSymbols;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Says in which language a text is written, with a fastText model: the user's ({@code lid.176.bin} or {@code .ftz}) or the
 * built-in one, which knows the 20 languages of LLaMA's Wikipedia, Chinese and Japanese and is trained from a table in
 * this module in a few seconds of one core when it is first asked for, then kept in the user's cache.
 *
 * @param model whose labels are languages
 * @param maxChars how much of a text is looked at
 */
public record LanguageIdentifier(FastTextModel model, int maxChars) {
    /** A model from a file; looks at whole texts, as cc_net does. */
    public static LanguageIdentifier of(Path file) throws IOException {
        return new LanguageIdentifier(FastTextModel.read(file), Integer.MAX_VALUE);
    }

    /** The built-in model; looks at the first 4,000 characters. */
    public static LanguageIdentifier builtIn() {
        return BuiltIn.INSTANCE;
    }

    /** The language and its probability; line ends are deleted before, as in cc_net. Empty for a text without words. */
    public Optional<FastTextModel.Prediction> identify(String text) {
        String part = text.length() > maxChars ? text.substring(0, maxChars) : text;
        String line = part.replace('\n', ' ').replace('\r', ' ');
        return line.isBlank() ? Optional.empty() : model.best(line);
    }

    private static final class BuiltIn {
        /** Changes when the training does; the table is looked at by itself. */
        private static final int VERSION = 1;

        static final LanguageIdentifier INSTANCE = new LanguageIdentifier(model(), 4000);

        /** Trained once for a user: the model is kept in the user's cache, where there is one. */
        private static FastTextModel model() {
            Path cached = cache();
            if (cached != null && Files.exists(cached)) {
                try {
                    return FastTextModel.read(cached);
                } catch (IOException | CorruptFileException e) {
                    // Damaged: it is made anew and replaced.
                }
            }
            FastTextModel trained = FastTextTraining.languages().train(examples());
            if (cached != null) {
                try {
                    Files.createDirectories(cached.toAbsolutePath().getParent());
                    Path own = cached.resolveSibling(
                            cached.getFileName() + "." + ProcessHandle.current().pid());
                    trained.write(own);
                    Files.move(own, cached, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
                } catch (IOException e) {
                    // A home that cannot be written costs the training another time, nothing else.
                }
            }
            return trained;
        }

        /** {@code languages-HASH.bin} among the user's caches, or null where the user has no home. */
        private static @Nullable Path cache() {
            String base = System.getenv("XDG_CACHE_HOME");
            String home = System.getProperty("user.home", "");
            if ((base == null || base.isEmpty()) && (home.isEmpty() || home.equals("?"))) {
                return null;
            }
            Path folder = base == null || base.isEmpty() ? Path.of(home, ".cache") : Path.of(base);
            CRC32C crc = new CRC32C();
            try (InputStream in = LanguageIdentifier.class.getResourceAsStream("languages.tsv")) {
                crc.update(java.util.Objects.requireNonNull(in).readAllBytes());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return folder.resolve("puna")
                    .resolve(String.format(Locale.ROOT, "languages-%d-%08x.bin", VERSION, crc.getValue()));
        }

        /** Each sentence of the table several times, and made-up ones of its words and of the JDK's names of months, days, languages. */
        private static List<FastTextTraining.Example> examples() {
            List<FastTextTraining.Example> examples = new ArrayList<>();
            SplittableRandom random = new SplittableRandom(7);
            try (InputStream in = LanguageIdentifier.class.getResourceAsStream("languages.tsv");
                    BufferedReader lines = new BufferedReader(
                            new InputStreamReader(java.util.Objects.requireNonNull(in), StandardCharsets.UTF_8))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    String[] fields = line.split("\t");
                    String language = fields[0];
                    String[] words = fields[1].split(" ");
                    String[] sentences = fields[2].split("\\|");
                    List<String> names = names(language);
                    boolean spaces = !language.equals("zh") && !language.equals("ja");
                    for (String sentence : sentences) {
                        for (int i = 0; i < 8; i++) {
                            examples.add(new FastTextTraining.Example(language, sentence));
                        }
                        String[] parts = sentence.split(spaces ? " " : "(?<=[，。、？])");
                        for (int i = 0; i + 2 < parts.length; i += 2) {
                            examples.add(new FastTextTraining.Example(
                                    language,
                                    String.join(
                                            spaces ? " " : "",
                                            Arrays.asList(parts).subList(i, i + 3))));
                        }
                    }
                    for (int i = 0; i < 80; i++) {
                        StringBuilder text = new StringBuilder();
                        int length = 4 + random.nextInt(10);
                        for (int w = 0; w < length; w++) {
                            boolean name = !names.isEmpty() && random.nextInt(3) == 0;
                            String word = name
                                    ? names.get(random.nextInt(names.size()))
                                    : words[random.nextInt(words.length)];
                            text.append(word).append(spaces ? " " : "");
                        }
                        examples.add(new FastTextTraining.Example(
                                language, text.toString().strip()));
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return examples;
        }

        /** Names from the JDK's locale data; none where it has no data for the language. */
        private static List<String> names(String language) {
            Locale locale = language.equals("sr") ? Locale.forLanguageTag("sr-Cyrl") : Locale.forLanguageTag(language);
            List<String> names = new ArrayList<>();
            if (!language.equals("en")
                    && locale.getDisplayLanguage(locale).equals(locale.getDisplayLanguage(Locale.ENGLISH))) {
                return names;
            }
            DateFormatSymbols symbols = DateFormatSymbols.getInstance(locale);
            names.addAll(List.of(symbols.getMonths()));
            names.addAll(List.of(symbols.getWeekdays()));
            for (String other : Locale.getISOLanguages()) {
                Locale named = Locale.of(other);
                String name = named.getDisplayLanguage(locale);
                if (!name.equals(other)
                        && (language.equals("en") || !name.equals(named.getDisplayLanguage(Locale.ENGLISH)))) {
                    names.add(name);
                }
            }
            names.removeIf(String::isBlank);
            return names;
        }
    }
}
