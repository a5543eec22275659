package check;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.springframework.ai.chat.model.ChatModel;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.embedding.EmbeddingModel;
import org.springframework.ai.embedding.EmbeddingResponse;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * Chat, streamed chat and embeddings through Spring AI's auto-configured OpenAI models against a running
 * {@code puna serve}; fails when an answer is missing, or when the stream says something else than the whole answer.
 *
 * <pre>
 * puna serve MODEL --port 8080 --name llama &amp;
 * mvn -q -f tools/peers/spring-ai/pom.xml compile exec:java -Dexec.args="http://127.0.0.1:8080 llama"
 * </pre>
 */
@SpringBootApplication
public class SpringAiCheck {
    public static void main(String[] args) {
        if (args.length != 2) {
            throw new IllegalArgumentException("expected the server's address and the model's name");
        }
        SpringApplication application = new SpringApplication(SpringAiCheck.class);
        try (ConfigurableApplicationContext context = application.run(
                "--spring.ai.openai.base-url=" + args[0] + "/v1",
                "--spring.ai.openai.api-key=none",
                "--spring.ai.openai.chat.model=" + args[1],
                "--spring.ai.openai.chat.temperature=0",
                "--spring.ai.openai.chat.max-tokens=24",
                "--spring.ai.openai.embedding.model=" + args[1],
                "--spring.main.web-application-type=none",
                "--spring.main.banner-mode=off")) {
            ChatModel chat = context.getBean(ChatModel.class);
            ChatResponse whole = chat.call(new Prompt("Hello"));
            String text = whole.getResult().getOutput().getText();
            int tokens = whole.getMetadata().getUsage().getCompletionTokens();
            String reason = whole.getResult().getMetadata().getFinishReason();
            System.out.println("chat: " + tokens + " tokens, " + reason);
            check(tokens > 0 && tokens <= 24, "max-tokens was 24");
            check(List.of("stop", "length").contains(reason.toLowerCase(Locale.ROOT)), "no reason why it ended");

            List<ChatResponse> parts = chat.stream(new Prompt("Hello")).collectList().block();
            String streamed = parts.stream()
                    .filter(part -> part.getResult() != null && part.getResult().getOutput().getText() != null)
                    .map(part -> part.getResult().getOutput().getText())
                    .collect(Collectors.joining());
            System.out.println("stream: " + parts.size() + " parts");
            check(parts.size() > 1, "the stream came in one part");
            check(streamed.equals(text), "the stream says '" + streamed + "', the whole answer '" + text + "'");

            EmbeddingResponse embeddings =
                    context.getBean(EmbeddingModel.class).embedForResponse(List.of("Hello", "the"));
            float[] first = embeddings.getResults().get(0).getOutput();
            System.out.println("embeddings: " + embeddings.getResults().size() + " of " + first.length + " numbers");
            double squares = 0;
            for (float each : first) {
                squares += each * each;
            }
            check(embeddings.getResults().size() == 2, "two texts, two embeddings");
            check(Math.abs(squares - 1) < 1e-4, "an embedding's length is not 1"); // of rounding to float
        }
    }

    private static void check(boolean right, String otherwise) {
        if (!right) {
            throw new IllegalStateException(otherwise);
        }
    }
}
