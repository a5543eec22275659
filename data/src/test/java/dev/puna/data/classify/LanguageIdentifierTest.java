package dev.puna.data.classify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.Document;
import dev.puna.data.filter.Verdict;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LanguageIdentifierTest {
    /** Article 1 of the Universal Declaration of Human Rights: text that the model has not seen. */
    private static final Map<String, String> ARTICLE_1 = new LinkedHashMap<>();

    static {
        ARTICLE_1.put(
                "bg",
                "Всички хора се раждат свободни и равни по достойнство и права. Те са надарени с разум и съвест и следва да се отнасят помежду си в дух на братство.");
        ARTICLE_1.put(
                "ca",
                "Tots els éssers humans neixen lliures i iguals en dignitat i en drets. Són dotats de raó i de consciència, i han de comportar-se fraternalment els uns amb els altres.");
        ARTICLE_1.put(
                "cs",
                "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni rozumem a svědomím a mají spolu jednat v duchu bratrství.");
        ARTICLE_1.put(
                "da",
                "Alle mennesker er født frie og lige i værdighed og rettigheder. De er udstyret med fornuft og samvittighed, og de bør handle mod hverandre i en broderskabets ånd.");
        ARTICLE_1.put(
                "de",
                "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.");
        ARTICLE_1.put(
                "en",
                "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.");
        ARTICLE_1.put(
                "es",
                "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.");
        ARTICLE_1.put(
                "fr",
                "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.");
        ARTICLE_1.put(
                "hr",
                "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima. Ona su obdarena razumom i sviješću i trebaju jedna prema drugima postupati u duhu bratstva.");
        ARTICLE_1.put(
                "hu",
                "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Az emberek, ésszel és lelkiismerettel bírván, egymással szemben testvéri szellemben kell hogy viseltessenek.");
        ARTICLE_1.put(
                "it",
                "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.");
        ARTICLE_1.put(
                "nl",
                "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen.");
        ARTICLE_1.put(
                "pl",
                "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa.");
        ARTICLE_1.put(
                "pt",
                "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de razão e de consciência, devem agir uns para com os outros em espírito de fraternidade.");
        ARTICLE_1.put(
                "ro",
                "Toate ființele umane se nasc libere și egale în demnitate și în drepturi. Ele sunt înzestrate cu rațiune și conștiință și trebuie să se comporte unele față de altele în spiritul fraternității.");
        ARTICLE_1.put(
                "ru",
                "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью и должны поступать в отношении друг друга в духе братства.");
        ARTICLE_1.put(
                "sl",
                "Vsi ljudje se rodijo svobodni in imajo enako dostojanstvo in enake pravice. Obdarjeni so z razumom in vestjo in bi morali ravnati drug z drugim kakor bratje.");
        ARTICLE_1.put(
                "sr",
                "Сва људска бића рађају се слободна и једнака у достојанству и правима. Она су обдарена разумом и свешћу и треба једни према другима да поступају у духу братства.");
        ARTICLE_1.put(
                "sv",
                "Alla människor är födda fria och lika i värde och rättigheter. De är utrustade med förnuft och samvete och bör handla gentemot varandra i en anda av broderskap.");
        ARTICLE_1.put(
                "uk",
                "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю і повинні діяти у відношенні один до одного в дусі братерства.");
        ARTICLE_1.put("zh", "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。");
        ARTICLE_1.put("ja", "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。");
    }

    @Test
    void builtInModelKnowsItsLanguagesOnHeldOutText() {
        LanguageIdentifier identifier = LanguageIdentifier.builtIn();
        assertThat(identifier.model().labels()).containsExactlyInAnyOrderElementsOf(ARTICLE_1.keySet());
        List<String> wrong = new ArrayList<>();
        int sentences = 0;
        int rightSentences = 0;
        for (Map.Entry<String, String> entry : ARTICLE_1.entrySet()) {
            FastTextModel.Prediction whole =
                    identifier.identify(entry.getValue()).orElseThrow();
            if (!whole.label().equals(entry.getKey()) || whole.probability() < 0.5) {
                wrong.add(entry.getKey() + "->" + whole);
            }
            for (String sentence : entry.getValue().split("(?<=[.。,，、])\\s*")) {
                if (sentence.length() > 8) {
                    sentences++;
                    rightSentences +=
                            identifier.identify(sentence).orElseThrow().label().equals(entry.getKey()) ? 1 : 0;
                }
            }
        }
        System.out.printf(
                "language identification: %d of 22 articles, %d of %d sentences and clauses%n",
                22 - wrong.size(), rightSentences, sentences);
        assertThat(wrong).isEmpty();
        assertThat(rightSentences).isGreaterThanOrEqualTo(sentences * 92 / 100);
    }

    @Test
    void filterKeepsWantedLanguagesAndWritesThem() {
        LanguageFilter filter = new LanguageFilter(LanguageIdentifier.builtIn(), Set.of("de", "fr"), 0.5);
        Verdict german = filter.apply(new Document("1", ARTICLE_1.get("de"), "s", Map.of()));
        assertThat(((Verdict.Keep) german).document().meta())
                .containsEntry("language", "de")
                .containsKey("language_score");
        assertThat(filter.apply(new Document("2", ARTICLE_1.get("en"), "s", Map.of())))
                .isInstanceOfSatisfying(
                        Verdict.Drop.class, d -> assertThat(d.reason()).isEqualTo("another language"));
        assertThat(filter.apply(new Document("3", " \n", "s", Map.of())))
                .isInstanceOfSatisfying(
                        Verdict.Drop.class, d -> assertThat(d.reason()).isEqualTo("no words"));
    }
}
