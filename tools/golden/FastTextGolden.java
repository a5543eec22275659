import com.github.jfasttext.JFastText;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * Golden files for reading fastText models: small models that the native program trains on made-up text, and what it
 * predicts with them. Run with jfasttext 0.5 and javacpp 1.5.8 on the class path, from the repository's root:
 * {@code java -cp jfasttext-0.5.jar:javacpp-1.5.8.jar tools/golden/FastTextGolden.java}, twice: the native quantizer ends the
 * process, and the second run goes on from its file.
 * Writes data/src/test/resources/classify/: NAME.bin or NAME.ftz and NAME.txt (text, tab, label probability …).
 */
public final class FastTextGolden {
    public static void main(String[] args) throws Exception {
        Path out = Path.of("data/src/test/resources/classify");
        Random random = new Random(4);
        String[][] vocabularies = {
            "the house is old and near water".split(" "),
            "das alte Haus steht nah am größten See".split(" "),
            "la casa está cerca del pequeño río".split(" "),
            "дом стоит у старой реки".split(" "),
            "家 在 古老 的 河边".split(" ")
        };
        StringBuilder train = new StringBuilder();
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 400; i++) {
            int label = Math.min(4, (int) Math.abs(random.nextGaussian() * 2));
            StringBuilder text = new StringBuilder();
            for (int w = 0; w < 3 + random.nextInt(6); w++) {
                int from = random.nextInt(8) == 0 ? random.nextInt(5) : label;
                text.append(vocabularies[from][random.nextInt(vocabularies[from].length)]).append(' ');
            }
            train.append("__label__L").append(label).append(' ').append(text).append('\n');
            if (i < 60) {
                lines.append(text.toString().strip()).append(i % 3 == 0 ? " unseen wörd 字" : "").append('\n');
            }
        }
        Path input = Files.createTempFile("golden", ".txt");
        Files.writeString(input, train);
        String[][] kinds = {
            {"softmax", "softmax", "0", "0", "2", "50", "6"},
            {"hs", "hs", "2", "4", "1", "200", "5"},
            {"quantized", "softmax", "2", "3", "2", "300", "8"}
        };
        for (String[] kind : kinds) {
            JFastText ft = new JFastText();
            Path model = out.resolve(kind[0]);
            boolean quantized = Files.exists(out.resolve(kind[0] + ".ftz"));
            if (!quantized) ft.runCmd(new String[] {
                "supervised", "-input", input.toString(), "-output", model.toString(), "-loss", kind[1], "-minn", kind[2],
                "-maxn", kind[3], "-wordNgrams", kind[4], "-bucket", kind[5], "-dim", kind[6], "-epoch", "20", "-lr", "0.5",
                "-thread", "1", "-verbose", "0"
            });
            Files.deleteIfExists(out.resolve(kind[0] + ".vec"));
            String file = model + ".bin";
            if (kind[0].equals("quantized")) {
                if (!quantized) ft.runCmd(new String[] {
                    "quantize", "-input", input.toString(), "-output", model.toString(), "-qnorm", "-cutoff", "280", "-dsub", "3",
                    "-verbose", "0"
                });
                Files.deleteIfExists(Path.of(file));
                file = model + ".ftz";
            }
            JFastText trained = new JFastText();
            trained.loadModel(file);
            try (PrintWriter writer = new PrintWriter(out.resolve(kind[0] + ".txt").toFile(), StandardCharsets.UTF_8)) {
                for (String line : lines.toString().split("\n")) {
                    writer.print(line);
                    for (JFastText.ProbLabel p : trained.predictProba(line + "\n", 3)) {
                        writer.printf(Locale.ROOT, "\t%s %.6f", p.label.substring(9), Math.exp(p.logProb));
                    }
                    writer.print('\n');
                }
            }
        }
    }
}
