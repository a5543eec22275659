package dev.puna.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.Samples;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GitHubSourceTest {
    private static final String CODE = "int main(int argc, char** argv) {\n    return argc;\n}\n";
    private static final String MIT =
            "Copyright (c) 2020 X\n\nPermission is hereby granted, free of charge, to any person obtaining";

    @TempDir
    Path folder;

    private static List<Document> read(GitHubSource source, Path path, ReadReport report) throws IOException {
        List<Document> all = new ArrayList<>();
        source.read(Split.whole(path), all::add, report);
        return all;
    }

    @Test
    void exportKeepsWhatTheRulesKeepAndSaysWhyNot() throws IOException {
        Path file = folder.resolve("export.jsonl");
        Files.writeString(
                file,
                line("a.c", "mit", CODE)
                        + line("b.c", "gpl-2.0", CODE + "1")
                        + line("again.c", "apache-2.0", CODE)
                        + line("c.crt", "mit", CODE)
                        + line("x.bin", "mit", CODE + "2")
                        + line("wide.c", "bsd-3-clause", "int x;\n".repeat(300) + "y".repeat(1001) + "\n")
                        + line("edge.c", "bsd-3-clause", "int x;\n".repeat(300) + "y".repeat(1000) + "\n")
                        + line("average.c", "mit", "abcdefghij".repeat(11) + "\n")
                        + line("symbols.c", "mit", "{}[]();;;;;;;;;;\n".repeat(9))
                        + "{\"path\":\"n.c\",\"license\":\"mit\"}\n{broken\n");
        ReadReport report = new ReadReport();
        List<Document> all = read(GitHubSource.paper(), file, report);
        assertThat(all).extracting(d -> d.string("path")).containsExactly("a.c", "edge.c");
        assertThat(report.skipped())
                .containsEntry("licence", 1L)
                .containsEntry("duplicate file", 1L)
                .containsEntry("suffix", 2L)
                .containsEntry("line too long", 1L)
                .containsEntry("average line too long", 1L)
                .containsEntry("too few letters and digits", 1L)
                .containsEntry("no content", 1L);
        assertThat(report.brokenCount()).isEqualTo(1);
        assertThat(all.getFirst().string("content_hash")).hasSize(32);
    }

    @Test
    void tokensRuleNeedsAndUsesACounter() throws IOException {
        Path file = folder.resolve("export.jsonl");
        Files.writeString(file, line("a.c", "mit", CODE));
        GitHubSource.Rules rules = GitHubSource.Rules.standard(Licences.permissive());
        ReadReport report = new ReadReport();
        assertThat(read(new GitHubSource(rules.withTokenCount(t -> 21), Fidelity.COMPAT), file, report))
                .hasSize(1);
        assertThat(read(new GitHubSource(rules.withTokenCount(t -> 22), Fidelity.COMPAT), file, report))
                .isEmpty();
        assertThat(report.skipped()).containsEntry("too few letters for each token", 1L);
    }

    @Test
    void headers() {
        String header = "/*\n * Copyright 2020\n */\n";
        assertThat(GitHubSource.withoutLicenceHeader(header + CODE)).isEqualTo(CODE);
        assertThat(GitHubSource.withoutHeaderAsRedPajama(header + CODE)).isEqualTo("\n" + CODE);
        assertThat(GitHubSource.withoutLicenceHeader("/* what it does */\n" + CODE))
                .startsWith("/* what");
        assertThat(GitHubSource.withoutLicenceHeader("/*/ " + CODE)).isEqualTo("/*/ " + CODE);
        String shell = "#!/bin/sh\n# Licensed under MIT\n#\n\necho\n";
        assertThat(GitHubSource.withoutLicenceHeader(shell)).isEqualTo("#!/bin/sh\necho\n");
        assertThat(GitHubSource.withoutHeaderAsRedPajama(shell)).isEqualTo("echo\n");
        String include = "// Copyright\n#include <a.h>\nint x;\n";
        assertThat(GitHubSource.withoutLicenceHeader(include)).isEqualTo("#include <a.h>\nint x;\n");
        assertThat(GitHubSource.withoutHeaderAsRedPajama(include)).isEqualTo("int x;\n");
        assertThat(GitHubSource.withoutLicenceHeader("# just a comment\nx = 1\n"))
                .startsWith("# just");
        assertThat(GitHubSource.withoutLicenceHeader("// Copyright")).isEmpty();
    }

    @Test
    void folderAndArchiveGiveTheSameAndFindTheirLicences() throws IOException {
        Path tree = Files.createDirectories(folder.resolve("tree"));
        Files.createDirectories(tree.resolve("lib/deep"));
        Files.createDirectories(tree.resolve("other"));
        Files.writeString(tree.resolve("lib/LICENSE.txt"), MIT);
        Files.writeString(tree.resolve("lib/deep/a.c"), CODE);
        Files.writeString(tree.resolve("other/b.c"), CODE + "/* no licence */");
        Files.writeString(tree.resolve("other/c.c"), "// SPDX-License-Identifier: Apache-2.0\n" + CODE + "//c\n");
        Files.write(tree.resolve("lib/bad.c"), new byte[] {'i', (byte) 0xff, 'x'});
        Files.write(
                tree.resolve("lib/cut.c"),
                new byte[] {'i', (byte) 0xf0, (byte) 0x9f, (byte) 0x98, 'x'}); // as long as U+FFFD
        Files.createSymbolicLink(tree.resolve("lib/loop"), tree);
        Path zip = folder.resolve("tree.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
            for (String name :
                    List.of("lib/LICENSE.txt", "lib/deep/a.c", "other/b.c", "other/c.c", "lib/bad.c", "lib/cut.c")) {
                out.putNextEntry(new ZipEntry(name));
                out.write(Files.readAllBytes(tree.resolve(name)));
            }
        }
        ReadReport report = new ReadReport();
        List<Document> fromFolder = read(GitHubSource.paper(), tree, report);
        assertThat(fromFolder).extracting(d -> d.string("path")).containsExactly("lib/deep/a.c", "other/c.c");
        assertThat(fromFolder.get(1).text()).isEqualTo(CODE + "//c\n");
        assertThat(report.skipped()).containsEntry("not UTF-8", 2L).containsEntry("licence", 1L);
        assertThat(read(GitHubSource.paper(), zip, new ReadReport())).isEqualTo(fromFolder);
    }

    @Test
    void aDamagedArchiveIsOneClearErrorAndABombIsRefused() throws IOException {
        Path file = folder.resolve("broken.zip");
        Files.writeString(file, "PK this is not a zip");
        assertThatThrownBy(() -> read(GitHubSource.paper(), file, new ReadReport()))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("broken.zip");
        Path bomb = folder.resolve("bomb.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(bomb))) {
            byte[] spaces = " ".repeat(7 << 20).getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < 60; i++) {
                out.putNextEntry(new ZipEntry("../../etc/" + i + ".c"));
                spaces[0] = (byte) i;
                out.write(spaces);
            }
        }
        GitHubSource any = new GitHubSource(GitHubSource.Rules.standard(Licences.any()), Fidelity.PAPER);
        assertThatThrownBy(() -> read(any, bomb, new ReadReport()))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("bomb");
    }

    @Test
    void theJdksOwnSources() throws IOException {
        Path zip = Samples.jdkSources();
        GitHubSource any = new GitHubSource(GitHubSource.Rules.standard(Licences.any()), Fidelity.PAPER);
        ReadReport report = new ReadReport();
        long[] chars = new long[2];
        any.read(
                Split.whole(zip),
                d -> {
                    chars[0] += d.text().length();
                    chars[1] += d.text().contains("DO NOT ALTER OR REMOVE COPYRIGHT NOTICES") ? 1 : 0;
                },
                report);
        assertThat(report.documents()).isGreaterThan(10_000);
        assertThat(chars[0]).isGreaterThan(100_000_000L);
        assertThat(chars[1]).isLessThan(report.documents() / 100);
        assertThat(report.brokenCount()).isZero();
    }

    private static String line(String path, String licence, String content) {
        return "{\"id\":\"" + path + "\",\"repo_name\":\"r\",\"path\":\"" + path + "\",\"license\":\"" + licence
                + "\",\"content\":\"" + content.replace("\"", "\\\"").replace("\n", "\\n") + "\"}\n";
    }
}
