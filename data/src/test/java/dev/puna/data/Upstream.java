package dev.puna.data;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What functions of cc_net and RedPajama made of texts of ours: golden files of {@code tools/golden/data_compat.py}. */
public final class Upstream {
    private Upstream() {}

    /** The cases of a file, one a line. */
    public static List<JsonNode> cases(String file) throws IOException {
        JsonMapper json = new JsonMapper();
        InputStream in = Objects.requireNonNull(Upstream.class.getResourceAsStream("/upstream/" + file), file);
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            return lines.lines().map(json::readTree).toList();
        }
    }
}
