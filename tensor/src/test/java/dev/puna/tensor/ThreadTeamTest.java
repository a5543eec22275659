package dev.puna.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ThreadTeamTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7})
    void everyMemberRunsOncePerRound(int size) {
        try (ThreadTeam team = new ThreadTeam("team", size)) {
            assertThat(team.size()).isEqualTo(size);
            int[] runs = new int[size];
            for (int round = 0; round < 3000; round++) {
                team.run((member, members) -> {
                    assertThat(members).isEqualTo(size);
                    runs[member]++;
                });
            }
            assertThat(runs).containsOnly(3000);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7})
    void rangesCoverEverythingOnce(int size) {
        try (ThreadTeam team = new ThreadTeam("team", size)) {
            for (int total : new int[] {0, 1, 2, 3, 13, 64, 207, 4098}) {
                for (int grain : new int[] {1, 4, 64, 5000}) {
                    int[] seen = new int[total];
                    team.forRange(total, grain, (from, to) -> {
                        assertThat(from % grain).isZero();
                        assertThat(from).isLessThan(to);
                        for (long i = from; i < to; i++) {
                            seen[(int) i]++;
                        }
                    });
                    assertThat(Arrays.stream(seen).allMatch(times -> times == 1))
                            .as("%d by %d on %d", total, grain, size)
                            .isTrue();
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void whatAMemberThrowsIsThrownAfterTheOthersFinished(int thrower) {
        try (ThreadTeam team = new ThreadTeam("team", 3)) {
            AtomicInteger finished = new AtomicInteger();
            for (int round = 0; round < 50; round++) {
                assertThatThrownBy(() -> team.run((member, size) -> {
                            if (member == thrower) {
                                throw new IllegalStateException("member " + member);
                            }
                            finished.incrementAndGet();
                        }))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessage("member " + thrower);
            }
            assertThat(finished).hasValue(100);
            assertThatThrownBy(() -> team.run((member, size) -> {
                        throw new AssertionError("all");
                    }))
                    .isInstanceOf(AssertionError.class);
            team.run((member, size) -> finished.incrementAndGet());
            assertThat(finished).hasValue(103);
        }
    }

    @Test
    void membersAreNamedDaemons() {
        try (ThreadTeam team = new ThreadTeam("puna", 3)) {
            String[] names = new String[3];
            boolean[] daemons = new boolean[3];
            team.run((member, size) -> {
                names[member] = Thread.currentThread().getName();
                daemons[member] = Thread.currentThread().isDaemon();
            });
            assertThat(names[1]).isEqualTo("puna-1");
            assertThat(names[2]).isEqualTo("puna-2");
            assertThat(daemons[1] && daemons[2]).isTrue();
            assertThat(names[0]).isEqualTo(Thread.currentThread().getName());
        }
    }

    @Test
    void parkedMembersWakeUp() throws InterruptedException {
        try (ThreadTeam team = new ThreadTeam("team", 4)) {
            AtomicInteger runs = new AtomicInteger();
            for (int round = 0; round < 20; round++) {
                team.run((member, size) -> runs.incrementAndGet());
                Thread.sleep(5);
            }
            assertThat(runs).hasValue(80);
        }
    }

    @Test
    void membersEndWhenClosed() throws InterruptedException {
        ThreadTeam team = new ThreadTeam("closing", 3);
        Thread[] members = new Thread[3];
        team.run((member, size) -> members[member] = Thread.currentThread());
        team.close();
        assertThatCode(team::close).doesNotThrowAnyException();
        for (int i = 1; i < 3; i++) {
            members[i].join(5000);
            assertThat(members[i].isAlive()).isFalse();
        }
        assertThatThrownBy(() -> team.run((member, size) -> {}))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
    }

    @Test
    void refusesAnEmptyTeam() {
        assertThatThrownBy(() -> new ThreadTeam("none", 0))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("threads=0");
    }
}
