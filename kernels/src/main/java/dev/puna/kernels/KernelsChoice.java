package dev.puna.kernels;

import dev.puna.kernels.KernelsProvider.Availability;
import dev.puna.kernels.KernelsProvider.Availability.Available;
import dev.puna.kernels.KernelsProvider.Availability.Refused;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.ThreadTeam;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/**
 * Which tier of kernels serves, and why each of the others does not. {@link #choose} decides as a pure function; what
 * it decided, and why, is this value, which {@code puna doctor} prints.
 *
 * @param requested {@code auto} or the name of a tier
 * @param chosen the tier that serves
 * @param considered every tier that was found, the most preferred first
 */
public record KernelsChoice(String requested, Candidate chosen, List<Candidate> considered) {
    /** Let the most preferred tier that is available serve. */
    public static final String AUTO = "auto";

    /** The environment variable that means the same as {@code --kernels}. */
    public static final String VARIABLE = "PUNA_KERNELS";

    /** A tier and what its {@link KernelsProvider#probe} said. */
    public record Candidate(KernelsProvider provider, Availability availability) {
        public String name() {
            return provider.name();
        }
    }

    public KernelsChoice {
        considered = List.copyOf(considered);
    }

    /**
     * The tier for a request: the named one, or with {@link #AUTO} the most preferred that is available.
     *
     * @throws ConfigurationException if no tier has that name, or if it refuses; the message has the reason
     */
    public static KernelsChoice choose(String requested, List<Candidate> candidates) {
        List<Candidate> considered = new ArrayList<>(candidates);
        considered.sort(Comparator.comparingInt(
                        (Candidate candidate) -> -candidate.provider().preference())
                .thenComparing(Candidate::name));
        for (Candidate candidate : considered) {
            boolean named = candidate.name().equals(requested);
            if (!named && !requested.equals(AUTO)) {
                continue;
            }
            switch (candidate.availability()) {
                case Available _ -> {
                    return new KernelsChoice(requested, candidate, considered);
                }
                case Refused(String reason) -> {
                    if (named) {
                        throw new ConfigurationException("kernels", requested, reason);
                    }
                }
            }
        }
        String names = considered.stream().map(Candidate::name).collect(Collectors.joining(", "));
        throw new ConfigurationException("kernels", requested, "use one of: " + AUTO + ", " + names);
    }

    /** What was asked for: the command line's option, else {@link #VARIABLE} in {@code environment}, else auto. */
    public static String requested(Optional<String> option, Map<String, String> environment) {
        return option.filter(name -> !name.isBlank())
                .or(() -> Optional.ofNullable(environment.get(VARIABLE)).filter(name -> !name.isBlank()))
                .orElse(AUTO);
    }

    /** Chooses among the tiers that {@link ServiceLoader} finds, probing each. */
    public static KernelsChoice onThisMachine(String requested) {
        List<Candidate> candidates = new ArrayList<>();
        for (KernelsProvider provider : ServiceLoader.load(KernelsProvider.class)) {
            candidates.add(new Candidate(provider, provider.probe()));
        }
        return choose(requested, candidates);
    }

    /** Makes the chosen tier's kernels. */
    public Kernels create(ThreadTeam threads) {
        return chosen.provider().create(threads);
    }

    /** One line per tier: {@code "x86: refused, no AVX2"}, {@code "vector: chosen, 512 bits"}. */
    public List<String> reasons() {
        List<String> lines = new ArrayList<>();
        for (Candidate candidate : considered) {
            String what = switch (candidate.availability()) {
                case Available(String detail) -> (candidate.equals(chosen) ? "chosen, " : "available, ") + detail;
                case Refused(String reason) -> "refused, " + reason;
            };
            lines.add(candidate.name() + ": " + what);
        }
        return lines;
    }
}
