package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StopStringsTest {
    @Test
    void holdsBackWhatMayBecomeAStopString() {
        StopStrings stops = new StopStrings(List.of("###", "\nUser:"));
        assertThat(stops.accept("Hello ##")).isEqualTo("Hello ");
        assertThat(stops.accept("! \nUs")).isEqualTo("##! ");
        assertThat(stops.accept("e me")).isEqualTo("\nUse me");
        assertThat(stops.accept(" now\nUser")).isEqualTo(" now");
        assertThat(stops.accept(": more")).isEmpty();
        assertThat(stops.found()).isTrue();
        assertThat(stops.accept("late")).isEmpty();
        assertThat(stops.finish()).isEmpty();
    }

    @Test
    void givesTheRestAtTheEnd() {
        StopStrings stops = new StopStrings(List.of("stop"));
        assertThat(stops.accept("do not sto")).isEqualTo("do not ");
        assertThat(stops.finish()).isEqualTo("sto");
        assertThat(stops.found()).isFalse();
    }

    @Test
    void theEarliestWins() {
        StopStrings stops = new StopStrings(List.of("cd", "bcx", "abc"));
        assertThat(stops.accept("zzabcd")).isEqualTo("zz");
        assertThat(stops.found()).isTrue();
    }

    @Test
    void neverLetsAnyPartOfAStopStringOut() {
        Random random = new Random(3);
        for (int round = 0; round < 2000; round++) {
            StringBuilder all = new StringBuilder();
            for (int i = random.nextInt(40); i >= 0; i--) {
                all.append((char) ('a' + random.nextInt(2)));
            }
            List<String> stop = List.of("abba", "baab", "aaaa");
            String text = all.toString();
            int end = stop.stream()
                    .mapToInt(text::indexOf)
                    .filter(at -> at >= 0)
                    .min()
                    .orElse(text.length());
            // Of a text that arrives letter by letter, the stop string that is complete first decides.
            int firstComplete = Integer.MAX_VALUE;
            for (String s : stop) {
                int at = text.indexOf(s);
                if (at >= 0 && at + s.length() < firstComplete) {
                    firstComplete = at + s.length();
                    end = at;
                }
            }
            StopStrings stops = new StopStrings(stop);
            StringBuilder out = new StringBuilder();
            for (char c : text.toCharArray()) {
                out.append(stops.accept(String.valueOf(c)));
            }
            out.append(stops.finish());
            assertThat(out.toString()).isEqualTo(text.substring(0, end));
        }
    }
}
