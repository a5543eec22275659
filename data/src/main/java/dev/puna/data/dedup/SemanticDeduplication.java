package dev.puna.data.dedup;

import dev.puna.data.Document;
import dev.puna.data.LongRecordSort;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.Verdict;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Removes documents that say what another one says (Abbas et al., SemDeDup: data-efficient learning at web-scale through
 * semantic deduplication, 2023): vectors of length one, k-means over them, and within each cluster a document goes when
 * its cosine to one that is farther from the centroid is above {@code 1 − epsilon}, so that of a group the most unusual
 * stays.
 *
 * <p>The vectors lie in a file; in memory are the centroids, 20 bytes for each document, and the vectors of one cluster.
 */
public final class SemanticDeduplication implements CorpusDeduplication {
    private static final int ITERATIONS = 25;
    private static final int SAMPLED_FOR_SEEDS = 20; // documents for each cluster from which seeds are drawn

    private final Embedder embedder;
    private final int wantedClusters;
    private final double epsilon;
    private final Path folder;
    private final FileChannel vectors;
    private final int width;
    private long[] ordinals = new long[1024]; // in the order of the file
    private int size;
    private @Nullable Duplicates duplicates;

    /**
     * @param embedder closed with this
     * @param clusters for k-means; fewer when there are fewer than ten documents for each
     * @param epsilon documents with a cosine above one minus this are the same
     * @param folder for temporary files
     */
    public SemanticDeduplication(Embedder embedder, int clusters, double epsilon, Path folder) throws IOException {
        if (clusters < 1 || !(epsilon > 0 && epsilon < 1)) {
            throw new ConfigurationException(
                    "clusters, eps", clusters + ", " + epsilon, "use at least 1 cluster, and eps between 0 and 1");
        }
        this.embedder = embedder;
        this.wantedClusters = clusters;
        this.epsilon = epsilon;
        this.folder = folder;
        this.width = embedder.width();
        Files.createDirectories(folder);
        this.vectors = FileChannel.open(
                folder.resolve("vectors.bin"),
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE);
    }

    @Override
    public String name() {
        return "semantic-dedup";
    }

    @Override
    public synchronized void look(Document document, long ordinal) throws IOException {
        float[] vector = new float[width];
        embedder.embed(document.text(), vector);
        double square = 0;
        for (float x : vector) {
            square += (double) x * x;
        }
        float scale = square > 0 ? (float) (1 / Math.sqrt(square)) : 0;
        ByteBuffer bytes = ByteBuffer.allocate(4 * width);
        for (float x : vector) {
            bytes.putFloat(x * scale);
        }
        bytes.flip();
        while (bytes.hasRemaining()) {
            vectors.write(bytes, 4L * width * size + bytes.position());
        }
        if (size == ordinals.length) {
            ordinals = Arrays.copyOf(ordinals, 2 * size);
        }
        ordinals[size++] = ordinal;
    }

    private void read(int index, float[] into) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(4 * width);
        while (bytes.hasRemaining() && vectors.read(bytes, 4L * width * index + bytes.position()) >= 0) {}
        bytes.flip().asFloatBuffer().get(into);
    }

    private static float dot(float[] a, float[] b) {
        float sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    @Override
    public void decide(Path state) throws IOException {
        // Threads wrote the vectors in any order; all that follows goes in the order of the corpus.
        Integer[] order = new Integer[size];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, Comparator.comparingLong(i -> ordinals[i]));
        try (LongRecordSort pairs = new LongRecordSort(2, folder, "same", 1 << 20)) {
            if (size > 1) {
                float[][] centroids = centroids(order);
                int[] clusterOf = new int[size];
                assign(order, centroids, clusterOf);
                for (int cluster = 0; cluster < centroids.length; cluster++) {
                    compare(order, cluster, clusterOf, centroids[cluster], pairs);
                }
            }
            duplicates = Duplicates.write(pairs, state);
        }
    }

    /** k-means++ on a sample for the seeds, then Lloyd's iterations over all with vectors of length one. */
    private float[][] centroids(Integer[] order) throws IOException {
        int k = Math.clamp(size / 10, 1, wantedClusters);
        SplittableRandom random = new SplittableRandom(42);
        int sampled = (int) Math.min(size, (long) k * SAMPLED_FOR_SEEDS);
        float[][] sample = new float[sampled][width];
        for (int i = 0; i < sampled; i++) {
            read(order[(int) ((long) i * size / sampled)], sample[i]);
        }
        float[][] centroids = new float[k][];
        double[] far = new double[sampled];
        Arrays.fill(far, 1);
        for (int c = 0; c < k; c++) {
            double sum = Arrays.stream(far).sum();
            double at = random.nextDouble() * sum;
            int chosen = 0;
            while (chosen < sampled - 1 && (at -= far[chosen]) > 0) {
                chosen++;
            }
            centroids[c] = sample[chosen].clone();
            for (int i = 0; i < sampled; i++) {
                double distance = Math.max(0, 1 - dot(sample[i], centroids[c]));
                far[i] = c == 0 ? distance : Math.min(far[i], distance);
            }
        }
        int[] clusterOf = new int[size];
        Arrays.fill(clusterOf, -1);
        for (int iteration = 0; iteration < ITERATIONS; iteration++) {
            if (!assign(order, centroids, clusterOf)) {
                break;
            }
            double[][] sums = new double[k][width];
            float[] vector = new float[width];
            for (int i : order) {
                read(i, vector);
                double[] sum = sums[clusterOf[i]];
                for (int d = 0; d < width; d++) {
                    sum[d] += vector[d];
                }
            }
            for (int c = 0; c < k; c++) {
                double square = 0;
                for (double x : sums[c]) {
                    square += x * x;
                }
                if (square > 0) { // an empty cluster keeps its centroid
                    for (int d = 0; d < width; d++) {
                        centroids[c][d] = (float) (sums[c][d] / Math.sqrt(square));
                    }
                }
            }
        }
        return centroids;
    }

    /** Every document to its nearest centroid; whether one changed. */
    private boolean assign(Integer[] order, float[][] centroids, int[] clusterOf) throws IOException {
        boolean changed = false;
        float[] vector = new float[width];
        for (int i : order) {
            read(i, vector);
            int nearest = 0;
            float best = Float.NEGATIVE_INFINITY;
            for (int c = 0; c < centroids.length; c++) {
                float cosine = dot(vector, centroids[c]);
                if (cosine > best) {
                    best = cosine;
                    nearest = c;
                }
            }
            changed |= clusterOf[i] != nearest;
            clusterOf[i] = nearest;
        }
        return changed;
    }

    private void compare(Integer[] order, int cluster, int[] clusterOf, float[] centroid, LongRecordSort pairs)
            throws IOException {
        record Member(long ordinal, float[] vector, float cosine) {}
        java.util.List<Member> members = new java.util.ArrayList<>();
        for (int i : order) {
            if (clusterOf[i] == cluster) {
                float[] vector = new float[width];
                read(i, vector);
                members.add(new Member(ordinals[i], vector, dot(vector, centroid)));
            }
        }
        members.sort(Comparator.comparingDouble(Member::cosine).thenComparingLong(Member::ordinal));
        for (int i = 1; i < members.size(); i++) {
            for (int k = 0; k < i; k++) {
                if (dot(members.get(i).vector(), members.get(k).vector()) > 1 - epsilon) {
                    pairs.add(members.get(i).ordinal(), members.get(k).ordinal());
                    break;
                }
            }
        }
    }

    @Override
    public DocumentFilter filter(long ordinal) {
        Duplicates known = Objects.requireNonNull(duplicates, "decide() comes before filter()");
        return new DocumentFilter() {
            @Override
            public String name() {
                return SemanticDeduplication.this.name();
            }

            @Override
            public Verdict apply(Document document) {
                OptionalLong same = known.keptFor(ordinal);
                return same.isEmpty()
                        ? new Verdict.Keep(document)
                        : new Verdict.Drop(
                                "says the same",
                                String.format(Locale.ROOT, "as document %d, eps %s", same.getAsLong(), epsilon));
            }
        };
    }

    @Override
    public void close() throws IOException {
        vectors.close();
        embedder.close();
        if (duplicates != null) {
            duplicates.close();
        }
    }
}
