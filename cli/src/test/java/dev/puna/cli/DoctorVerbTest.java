package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

final class DoctorVerbTest {
    @Test
    void jsonHasTheTiersWithTheirReasonsAndMeasuredPeaks() {
        Session session = Session.of("doctor", "--json", "--threads", "2");
        assertThat(session.err()).isEmpty();
        assertThat(session.status()).isZero();
        JsonNode report = JsonMapper.shared().readTree(session.out());
        assertThat(report.at("/processor/threads").intValue()).isPositive();
        assertThat(report.at("/kernels").stringValue()).isNotEmpty();
        int chosen = 0;
        for (JsonNode tier : report.at("/tiers")) {
            assertThat(tier.get("detail").stringValue()).isNotBlank();
            if (tier.get("chosen").booleanValue()) {
                chosen++;
                assertThat(tier.get("name").stringValue())
                        .isEqualTo(report.at("/kernels").stringValue());
                assertThat(tier.get("available").booleanValue()).isTrue();
            }
        }
        assertThat(chosen).isEqualTo(1);
        assertThat(report.at("/peaks/threads").intValue()).isEqualTo(2);
        assertThat(report.at("/peaks/limits").size()).isGreaterThanOrEqualTo(2);
        for (JsonNode limit : report.at("/peaks/limits")) {
            assertThat(limit.get("all_threads").doubleValue()).isBetween(0.5, 100_000.0);
        }
        assertThat(report.at("/memory/total_bytes").longValue()).isGreaterThan(1L << 28);
    }

    @Test
    void aNamedTierIsTheOneMarked() {
        Session session = Session.of("doctor", "--kernels", "reference", "--threads", "1");
        assertThat(session.status()).isZero();
        assertThat(session.out()).contains("* reference").contains(" on 1 thread\n");
    }
}
