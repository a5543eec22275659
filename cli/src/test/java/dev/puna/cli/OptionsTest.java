package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.cli.Options.Value;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class OptionsTest {
    private final Options options = new Options();
    private final Value<String> model = options.argument("MODEL", "A model.").required();
    private final Value<String> prompt = options.text("-p,--prompt", "TEXT", "A prompt.");
    private final Value<Integer> threads = options.integer("--threads", "N", "Threads.", 1);
    private final Value<Double> topP = options.number("--top-p", "P", "Nucleus.", 0, 1);
    private final Value<Boolean> json = options.flag("--json", "JSON.");
    private final Value<String> stops = options.texts("--stop", "TEXT", "Stops.");
    private final Value<String> to = options.choice("--to", "FORMAT", "Format.", List.of("hf", "gguf"));

    @Test
    void optionsStandBeforeAndAfterArgumentsInBothSpellings() {
        options.parse(
                List.of("--json", "m.gguf", "-p", "-not an option", "--threads=3", "--top-p", "0.5", "--to=GGUF"));
        assertThat(model.get()).isEqualTo("m.gguf");
        assertThat(prompt.get()).isEqualTo("-not an option");
        assertThat(threads.or(7)).isEqualTo(3);
        assertThat(topP.get()).isEqualTo(0.5);
        assertThat(json.isGiven()).isTrue();
        assertThat(to.get()).isEqualTo("gguf");
        assertThat(stops.all()).isEmpty();
    }

    @Test
    void listsKeepTheirOrderAndEmptyTextIsText() {
        options.parse(List.of("m", "--stop", "b", "--stop=", "--stop=a=b"));
        assertThat(stops.all()).containsExactly("b", "", "a=b");
        assertThat(threads.or(7)).isEqualTo(7);
    }

    @Test
    void twoDashesEndTheOptions() {
        options.parse(List.of("--", "--json"));
        assertThat(model.get()).isEqualTo("--json");
        assertThat(json.isGiven()).isFalse();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    m --thread 2      | unknown option '--thread'; did you mean '--threads'?
                    m --threads       | --threads needs a value: --threads N
                    m --threads x     | --threads: expected a number, found 'x'
                    m --threads 0     | --threads: must be at least 1, found 0
                    m --threads 1 --threads 2 | --threads is given twice
                    m --top-p 1.5     | --top-p: must be between 0 and 1, found 1.5
                    m --top-p NaN     | --top-p: must be between 0 and 1, found NaN
                    m --json=yes      | --json takes no value
                    m n               | unexpected argument 'n'
                    --json            | names no MODEL
                    m --to onnx       | --to: must be one of hf, gguf; found 'onnx'
                    """)
    void refusesWithOneLineThatNamesTheOption(String line, String message) {
        assertThatThrownBy(() -> options.parse(List.of(line.split(" "))))
                .isInstanceOf(UsageException.class)
                .hasMessage(message);
    }

    @Test
    void helpIsFoundBeforeAnythingElseIsChecked() {
        options.parse(List.of("--help"));
        assertThat(options.helpWanted()).isTrue();
    }
}
