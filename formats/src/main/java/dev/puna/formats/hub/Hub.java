package dev.puna.formats.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Models by name, through the cache that transformers, vLLM and the others share:
 * {@code models--owner--name/{blobs,refs,snapshots}}. What is there is not fetched again; what was cut off is resumed.
 *
 * <p>A reference ({@code refs/main}) is written when everything it stands for is complete, so offline mode never finds
 * half a model that Puna has fetched.
 */
public final class Hub {
    private final HubSettings settings;
    private final HubCache cache;

    public Hub(HubSettings settings) {
        this.settings = settings;
        this.cache = new HubCache(settings.cache());
    }

    /** As the environment says: {@link HubSettings#of}. */
    public static Hub fromEnvironment() throws IOException {
        return new Hub(HubSettings.fromEnvironment());
    }

    /**
     * Makes a model available on this machine: the files that are needed to run it, in the cache.
     *
     * @return the directory of the model, or its GGUF file
     * @throws HubException with what to do, if the model cannot be had
     */
    public Path fetch(HubModel model, DownloadProgress progress) throws IOException {
        if (settings.offline()) {
            return cached(model)
                    .orElseThrow(() -> new HubException(model + " is not in the cache " + settings.cache()
                            + ", and HF_HUB_OFFLINE forbids to fetch it"));
        }
        HubConnection connection = new HubConnection(settings);
        HubConnection.Listing listing;
        try {
            listing = connection.list(model);
        } catch (HubConnection.UnreachableException e) {
            Optional<Path> cached = cached(model);
            if (cached.isPresent()) {
                return cached.get();
            }
            throw new HubException(
                    "cannot reach " + settings.endpoint() + ", and " + model + " is not in the cache "
                            + settings.cache() + ": is there a network? HF_ENDPOINT names another hub",
                    e);
        }
        ModelFiles files = ModelFiles.choose(model, listing.files());
        for (String file : files.names()) {
            if (!cache.contains(model, listing.commit(), file)) {
                HubConnection.RemoteFile remote = connection.describe(model, listing.commit(), file);
                cache.add(
                        model,
                        listing.commit(),
                        file,
                        remote.etag(),
                        blob -> connection.download(remote, file, blob, progress));
            }
        }
        cache.reference(model, listing.commit());
        return place(model, listing.commit(), files);
    }

    /** The model as it lies in the cache, without a look at the network. */
    public Optional<Path> cached(HubModel model) throws IOException {
        Optional<String> commit = cache.commit(model);
        if (commit.isEmpty()) {
            return Optional.empty();
        }
        Path snapshot = cache.snapshot(model, commit.get());
        List<String> names;
        try (Stream<Path> all = Files.list(snapshot)) {
            names = all.map(file -> file.getFileName().toString()).sorted().toList();
        }
        return Optional.of(place(model, commit.get(), ModelFiles.choose(model, names)));
    }

    private Path place(HubModel model, String commit, ModelFiles files) {
        Path snapshot = cache.snapshot(model, commit);
        return files.gguf().map(snapshot::resolve).orElse(snapshot);
    }
}
