"""Golden files for the data sources' mode `compat`: what cc_net's and RedPajama's own functions make of texts of ours.

    python tools/golden/data_compat.py CC_NET RED_PAJAMA        (from the root of the repository)

CC_NET: a checkout of facebookresearch/cc_net. RED_PAJAMA: one of togethercomputer/RedPajama-Data at f54b86f. Needs
beautifulsoup4 and lxml. Only the functions named below are taken out of their files and run: importing them would parse
arguments and load models. Writes data/src/test/resources/upstream/*.jsonl, a line for each case.
"""
import ast, json, pathlib, random, sys

OUT = pathlib.Path("data/src/test/resources/upstream")


def functions(path, names, **given):
    """The functions and constants `names` of a file, and its imports of the standard library, in a namespace of their own."""
    space = dict(given)
    tree = ast.parse(path.read_text())
    keep = []
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            if module in ("re", "typing", "unicodedata", "bs4"):
                keep.append(node)
        elif isinstance(node, ast.FunctionDef) and node.name in names:
            keep.append(node)
        elif isinstance(node, ast.Assign) and node.targets[0].id in names:
            keep.append(node)
    exec(compile(ast.Module(keep, []), str(path), "exec"), space)
    return space


def write(name, cases):
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / name, "w", encoding="utf-8") as f:
        for case in cases:
            f.write(json.dumps(case, ensure_ascii=False) + "\n")
    print(name, len(cases))


def mixed(rng, parts, n):
    return "".join(rng.choice(parts) for _ in range(rng.randint(0, n)))


def lines(cc_net):
    """cc_net's two normalizations of a line."""
    space = functions(cc_net / "cc_net/text_normalizer.py",
                      {"UNICODE_PUNCT", "UNICODE_PUNCT_RE", "replace_unicode_punct", "strip_accents", "NON_PRINTING_CHARS_RE",
                       "DIGIT_RE", "PUNCT_OR_NON_PRINTING_CHARS_RE", "remove_non_printing_char", "normalize",
                       "remove_unicode_punct", "normalize_for_dedup"})
    parts = list(space["UNICODE_PUNCT"]) + list("aZé٣५１２ ß İıσςΣ\t\n\r\x0b\x0c\x1c\x1f\x7f\x85\x9f\xa0\u2003\u2028\u200b\u3000") + [
        "e\u0301", "A\u030a", "한국어", "ｱ", "\U0001d7d8", "\U0001f600", "word ", "Two Words", "123", "½", "Ⅷ", "²", "ñ", "Å", "ǅ", "\ufeff"]
    rng = random.Random(7)
    texts = ["", " ", "\u3000", "  Plain text, with 42 digits!  "] + parts + [mixed(rng, parts, 24) for _ in range(300)]
    return [{"in": t, "dedup": space["normalize_for_dedup"](t), "normalized": space["normalize"](t)} for t in texts]


def github(red_pajama):
    """Headers, statistics and the filter, the number of tokens given as a fourth of the characters."""
    clean = functions(red_pajama / "data_prep/github/github_clean_dedup_local.py",
                      {"CPAT", "PAT", "clean_copyright_comments", "get_filecontent_stats"})
    kept = functions(red_pajama / "data_prep/github/github_run_filter.py", {"extensions_whitelist", "discard_record"},
                     get_token_count=lambda text: len(text) // 4 + 1)
    parts = ["/*", "*/", "/* Copyright (c) us */", "/* what it does */", "/** COPYRIGHT */\n", "// Copyright\n", "# Copyright\n", "#!/bin/sh\n",
             "-- note\n", "  // indented\n", "\n", "\n\n", "\r\n", "int main() { return 0; }\n", "x = 1\n", "{}[]();;;;\n", "/*/", "**/", "ünïcödé\n",
             "\u2028", "\x0c", "\x85", "\x1d", "１２³½Ⅷ\n", "\U0001d400\U0001f600\n", "中文注释\n", "#include <a.h>\n", "words of a comment "]
    rng = random.Random(8)
    texts = ["", "\n", "// all of it\n# comments", "int x;"] + parts + [mixed(rng, parts, 12) for _ in range(250)]
    texts += ["a" * n + "\n" + "int x;\n" * 300 for n in (1000, 1001)]
    texts += [("b" * 99 + "\n") * 3, ("b" * 100 + "\n") * 3, "a;;;\n" * 30, "ab;;;;;\n" * 30, "\U0001d400" * 1000 + "\n" + "int x;\n" * 300]
    names = ["a.c", "A.C", "a.H", "b.tar.py", "Makefile", "my.Makefile", "Dockerfile", "sub/x.java", "x.cmake", "a.c/readme", "x.txt", "c", ".c",
             "x.JAVA", "a.c++", "x.f90", "y.phpt", "z.dockerfile", "LICENSE", "lib/LICENSE", "k.crt"]
    cases = []
    for i, t in enumerate(texts):
        text = clean["clean_copyright_comments"](t)
        stats = clean["get_filecontent_stats"](text)
        name = names[i % len(names)] if i % 3 == 0 else "a.c"
        out = name.endswith(".crt") or name == "LICENSE" or kept["discard_record"]({"text": text, "meta": stats | {"path": name}})
        cases.append({"path": name, "in": t, "out": text, "lines": stats["line_count"], "longest": stats["max_line_length"],
                      "alphanumeric": round(stats["alnum_prop"], 6), "dropped": bool(out)})
    return cases


def arxiv(red_pajama):
    """Papers of one file and of several; null where the function fails, which drops the paper."""
    space = functions(red_pajama / "data_prep/arxiv/arxiv_cleaner.py", {"clean_tex_files", "_clean_tex_file", "_build_non_arg_macros_dict"})
    parts = ["\\section{One}\n", "\\section*{Star} ", "\\section[short]{Long}\n", "\\subsection{Sub}\n", "\\paragraph{P} ", "\\subparagraph{S}\n",
             "\\paragraph{P}\\subparagraph{S} ", "\\chapter{C}\n", "\\part{I}\n", "\\sectionmark{x} ", "\\section {space}\n",
             "% a whole line\n", "text % comment\n", "50\\% of it\n", "a%b\n", "x%\n", "%\n", "  % indented\n",
             "\\appendix\n", "\\begin{thebibliography}{9}\n", "\\begin{references}\n", "\\begin{REFERENCES}\n", "\\bibliography{refs}\n",
             "\\bibliography\n", "\\newcommand{\\R}{\\mathbb{R}}\n", "\\newcommand*{\\Z}{\\mathbb{Z}} more\n", "\\newcommand*{\\Z}{\\mathbb{Z}}\n",
             "\\newcommand{\\p}[1]{(#1)}\n", "\\newcommand\\q{q}\n", "\\def\\half{\\frac12}\n", "\\def \\e{\\epsilon}\n", "\\def\\f#1{f}\n",
             "\\newcommand{\\e}{E}\n", "$x \\in \\R$ ", "\\R\\R \\Z\\R.", "\\Rational \\half \\e1 \\e{} ", "\\p{a}\\q\n", "plain words\n", "\n", "\r\n",
             "\\begin{document}\n", "\\end{document}\n", "\u2028"]
    rng = random.Random(9)
    papers = [["".join(rng.choice(parts) for _ in range(rng.randint(3, 25)))] for _ in range(200)]
    papers += [["".join(rng.choice(parts) for _ in range(rng.randint(2, 12))) for _ in range(3)] for _ in range(60)]
    papers += [["\\section{A}\n\\newcommand{\\o}{é}\n\\o x\n"], ["\\section{A}\n\\newcommand{\\o}{Δ}\n"], ["\\section{A}\n\\newcommand{\\t}{a\tb}\n\\t x\n"],
               ["\\newcommand{\\g}{é}\n", "no section"], ["\\section{A}{\\def\\x{\\1}\n}\\x y"], [""], ["", "\\section{B} b"]]
    cases = []
    for files in papers:
        try:
            out = space["clean_tex_files"](files)
        except Exception:
            out = None
        cases.append({"files": files, "out": out})
    return cases


def stackexchange(red_pajama):
    """Questions with their answers."""
    class Languages:
        def predict_lang(self, text):
            return "en"
    space = functions(red_pajama / "data_prep/stack_exchange/post_processing.py", {"cleanhtml", "process_qa_pair"}, lang_id=Languages(), site_name="site")
    parts = ["<p>A paragraph.</p>\n", "<p>Two <em>words</em> &amp; <code>a &lt; b</code></p>\n\n", "<ul>\n<li>one</li>\n<li>two <b>bold</b></li>\n</ul>\n",
             "<ol>\n<li>first</li>\n<li><p>second</p></li>\n</ol>\n", "<pre><code>int x = 1;\n\n  y &gt; 2\n</code></pre>\n", "<p>line<br>\nbreak<br/>end</p>\n",
             "<blockquote>\n  <p>quoted</p>\n</blockquote>\n", "<a href=\"http://x.example/?a=1&amp;b=2\" rel=\"nofollow\">link</a> ", "<hr>\n", "<h2>Head</h2>\n",
             "<img src=\"i.png\" alt=\"picture\"> ", "plain text ", "caf\u00e9 \u2014 \u4e2d\u6587 \U0001f600 ", "&quot;quoted&quot; &#39;x&#39; &nbsp;&copy; ", "<!-- hidden -->",
             "<p>  spaces   stay  </p>", "\n\n\n", "<kbd>Ctrl</kbd>+<kbd>C</kbd>", "<ol start=\"3\">\n<li>third</li>\n</ol>", "<sub>2</sub>"]
    rng = random.Random(10)
    cases = []
    for _ in range(150):
        question = {"id": "1", "score": "3", "text": rng.choice(["A title", "What is &amp;?", "Why? "]) + " " + mixed(rng, parts, 8)}
        pair = {"question": question}
        if rng.random() < 0.8:
            pair["answers"] = [{"id": str(i), "score": rng.choice(["9", "10", "-1", "0", "100", "2"]), "text": "answer %d " % i + mixed(rng, parts, 6)}
                               for i in range(2, 2 + rng.randint(1, 5))]
        given = json.loads(json.dumps(pair))
        cases.append({"question": question["text"], "answers": [[a["id"], a["score"], a["text"]] for a in given.get("answers", [])],
                      "out": space["process_qa_pair"](pair)["text"]})
    return cases


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    cc_net, red_pajama = map(pathlib.Path, sys.argv[1:])
    write("lines.jsonl", lines(cc_net))
    write("github.jsonl", github(red_pajama))
    write("arxiv.jsonl", arxiv(red_pajama))
    write("stackexchange.jsonl", stackexchange(red_pajama))


main()
