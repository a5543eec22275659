package check;

import java.util.List;
import org.springframework.ai.chat.model.ChatModel;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.embedding.EmbeddingModel;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;

/** Chat, streamed chat and embeddings through Spring AI's auto-configured OpenAI models. */
@SpringBootApplication
public class SpringAiCheck {
    public static void main(String[] args) {
        String address = args.length > 0 ? args[0] : "http://127.0.0.1:8080";
        String model = args.length > 1 ? args[1] : "model";
        SpringApplication application = new SpringApplication(SpringAiCheck.class);
        try (ConfigurableApplicationContext context = application.run(
                "--spring.ai.openai.base-url=" + address + "/v1",
                "--spring.ai.openai.api-key=none",
                "--spring.ai.openai.chat.options.model=" + model,
                "--spring.ai.openai.chat.model=" + model,
                "--spring.ai.openai.chat.options.max-tokens=24",
                "--spring.ai.openai.chat.max-tokens=24",
                "--spring.ai.openai.embedding.options.model=" + model,
                "--spring.ai.openai.embedding.model=" + model,
                "--spring.main.web-application-type=none",
                "--spring.main.banner-mode=off")) {
            ChatModel chat = context.getBean(ChatModel.class);
            ChatResponse whole = chat.call(new Prompt("Hello"));
            System.out.println("chat: " + whole.getResult().getMetadata().getFinishReason() + ", "
                    + whole.getMetadata().getUsage().getTotalTokens() + " tokens");
            List<ChatResponse> parts = chat.stream(new Prompt("Hello")).collectList().block();
            System.out.println("stream: " + parts.size() + " parts");
            float[] embedding = context.getBean(EmbeddingModel.class).embed("Hello");
            System.out.println("embedding: " + embedding.length + " numbers");
            if (whole.getMetadata().getUsage().getTotalTokens() < 2 || parts.size() < 2 || embedding.length < 2) {
                throw new IllegalStateException("an answer is missing");
            }
        }
    }
}
