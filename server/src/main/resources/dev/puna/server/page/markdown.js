// Markdown as nodes. Every text of the model becomes a text node; no string is ever read as HTML, and a link goes to
// http, https or mailto or it is no link. Blocks that did not change keep their nodes, so that a stream neither flickers
// nor loses what is selected.

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^`\s]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:[ \t]+(.*)|$)/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const DIVIDER = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const DEEPEST = 12;
const LONGEST_PARAGRAPH = 8000;

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

/** Shows `source` in `target`, anew only from the first block that changed. */
export function render(target, source) {
  const blocks = split(source.split("\n"));
  const before = target.blocks ?? [];
  let same = 0;
  while (same < blocks.length && same < before.length && blocks[same].key === before[same]) same++;
  while (target.childNodes.length > same) target.lastChild.remove();
  for (const block of blocks.slice(same)) target.append(build(block, 0));
  target.blocks = blocks.map(block => block.key);
}

/** Lines to blocks: {kind, lines, key}. */
function split(lines) {
  const blocks = [];
  let at = 0;
  const add = (kind, count, more = {}) => {
    const own = lines.slice(at, at + count);
    at += count;
    blocks.push({ kind, lines: own, key: kind + "\n" + own.join("\n") + (more.open ? "\n…" : ""), ...more });
  };
  while (at < lines.length) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    if (!line.trim()) {
      at++;
    } else if (fence) {
      let end = at + 1;
      const closes = text => new RegExp("^ {0,3}" + fence[1][0] + "{" + fence[1].length + ",}[ \\t]*$").test(text);
      while (end < lines.length && !closes(lines[end])) end++;
      add("code", Math.min(end + 1, lines.length) - at, { open: end >= lines.length, language: fence[2] });
    } else if (HEADING.test(line)) {
      add("heading", 1);
    } else if (RULE.test(line)) {
      add("rule", 1);
    } else if (QUOTE.test(line)) {
      let end = at + 1;
      while (end < lines.length && lines[end].trim() && !starts(lines[end], true)) end++;
      add("quote", end - at);
    } else if (ITEM.test(line)) {
      let end = at + 1;
      const ordered = /\d/.test(ITEM.exec(line)[2]);
      const indent = ITEM.exec(line)[1].length;
      while (end < lines.length) {
        const item = ITEM.exec(lines[end]);
        if (!lines[end].trim()) {
          const next = lines[end + 1] ?? "";
          if (!next.trim() || (!/^ {2,}|\t/.test(next) && !sameList(next, ordered, indent))) break;
        } else if (item && item[1].length <= indent + 1 && !sameList(lines[end], ordered, indent)) {
          break;
        } else if (!item && !/^( {2,}|\t)/.test(lines[end]) && starts(lines[end])) {
          break;
        }
        end++;
      }
      add("list", end - at, { ordered });
    } else if (line.includes("|") && at + 1 < lines.length && DIVIDER.test(lines[at + 1]) && lines[at + 1].includes("-")
        && cells(line).length === cells(lines[at + 1]).length) {
      let end = at + 2;
      while (end < lines.length && lines[end].includes("|") && lines[end].trim()) end++;
      add("table", end - at);
    } else {
      let end = at + 1;
      while (end < lines.length && lines[end].trim() && !starts(lines[end])) end++;
      add("paragraph", end - at);
    }
  }
  return blocks;
}

function sameList(line, ordered, indent) {
  const item = ITEM.exec(line);
  return item && /\d/.test(item[2]) === ordered && item[1].length >= indent - 1;
}

/** Whether a line ends the paragraph before it. */
function starts(line, inQuote = false) {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || ITEM.test(line) || (!inQuote && QUOTE.test(line));
}

function build(block, depth) {
  if (depth > DEEPEST) return element("p", block.lines.join("\n"));
  switch (block.kind) {
    case "code": return code(block);
    case "heading": {
      const [, marks, text] = HEADING.exec(block.lines[0]);
      return inline(element("h" + Math.min(4, marks.length + 1)), text);
    }
    case "rule": return element("hr");
    case "quote": {
      const inner = block.lines.map(line => QUOTE.exec(line)?.[1] ?? line);
      return element("blockquote", ...split(inner).map(each => build(each, depth + 1)));
    }
    case "list": return list(block, depth);
    case "table": return table(block);
    default: return inline(element("p"), block.lines.join("\n"));
  }
}

function code(block) {
  const body = block.lines.slice(1, block.open ? undefined : -1).join("\n");
  const copy = element("button", "Copy");
  copy.type = "button";
  copy.dataset.copy = "code";
  const shown = element("code");
  highlight(shown, body, block.language.toLowerCase());
  return element("figure", element("figcaption", element("span", block.language || "text"), copy), element("pre", shown));
}

function list(block, depth) {
  const made = element(block.ordered ? "ol" : "ul");
  const first = ITEM.exec(block.lines[0]);
  const indent = first[1].length;
  if (block.ordered) made.start = parseInt(first[2], 10);
  const items = [];
  for (const line of block.lines) {
    const item = ITEM.exec(line);
    if (item && item[1].length <= indent + 1) items.push({ lines: [item[3] ?? ""], width: item[1].length + item[2].length + 1 });
    else items.at(-1).lines.push(strip(line, items.at(-1).width));
  }
  const loose = block.lines.some(line => !line.trim());
  for (const { lines } of items) {
    const parts = split(lines);
    const entry = element("li");
    for (const part of parts) {
      if (part.kind === "paragraph" && !loose) inline(entry, part.lines.join("\n"));
      else entry.append(build(part, depth + 1));
    }
    made.append(entry);
  }
  return made;
}

/** A line without up to `width` spaces before it. */
function strip(line, width) {
  let at = 0;
  while (at < width && line[at] === " ") at++;
  return line[at] === "\t" && at === 0 ? line.slice(1) : line.slice(at);
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map(cell => cell.trim().replaceAll("\\|", "|"));
}

function table(block) {
  const sides = cells(block.lines[1]).map(mark =>
    mark.endsWith(":") ? (mark.startsWith(":") ? "center" : "right") : "");
  const row = (line, kind) => {
    const made = element("tr");
    const all = cells(line);
    for (let i = 0; i < sides.length; i++) {
      const cell = inline(element(kind), all[i] ?? "");
      if (sides[i]) cell.className = sides[i];
      made.append(cell);
    }
    return made;
  };
  const wide = element("div", element("table",
    element("thead", row(block.lines[0], "th")),
    element("tbody", ...block.lines.slice(2).map(line => row(line, "td")))));
  wide.className = "table";
  return wide;
}

// Code before all else; then links, bare addresses, emphasis, line ends.
const INLINE = new RegExp([
  "(?<ticks>`+)(?<code>[^`]|[^`][\\s\\S]*?[^`])\\k<ticks>(?!`)",
  "\\\\(?<escaped>[!-/:-@[-`{-~])",
  "!?\\[(?<label>(?:[^\\[\\]\\\\]|\\\\.|\\[[^\\[\\]]*\\])*)\\]\\((?<to>[^\\s()]*(?:\\([^\\s()]*\\)[^\\s()]*)*)(?:[ \\t]+\"[^\"]*\")?\\)",
  "(?<bare>https?://[^\\s<>\"')\\]]*[^\\s<>\"')\\].,;:!?])",
  "<(?<angle>https?://[^\\s<>]+)>",
  "\\*\\*\\*(?=\\S)(?<strongem>[\\s\\S]*?\\S)\\*\\*\\*",
  "\\*\\*(?=\\S)(?<strong>[\\s\\S]*?\\S)\\*\\*",
  "(?<![\\p{L}\\p{N}_])__(?=\\S)(?<bold>[\\s\\S]*?\\S)__(?![\\p{L}\\p{N}_])",
  "~~(?=\\S)(?<gone>[\\s\\S]*?\\S)~~",
  "\\*(?=[^\\s*])(?<em>(?:[^*]|\\*\\*[^*]+\\*\\*)*?[^\\s*])\\*(?!\\*)",
  "(?<![\\p{L}\\p{N}_])_(?=[^\\s_])(?<under>[^_]*?[^\\s_])_(?![\\p{L}\\p{N}_])",
  "(?<end> {2,}\\n|\\\\\\n)",
].join("|"), "gu");

function inline(target, text, depth = 0, linked = false) {
  if (depth > DEEPEST || text.length > LONGEST_PARAGRAPH) {
    target.append(text);
    return target;
  }
  let done = 0;
  for (const found of text.matchAll(INLINE)) {
    const g = found.groups;
    target.append(text.slice(done, found.index));
    done = found.index + found[0].length;
    if (g.code !== undefined) target.append(element("code", /^ .*[^ ].* $/s.test(g.code) ? g.code.slice(1, -1) : g.code));
    else if (g.escaped) target.append(g.escaped);
    else if (linked && (g.label !== undefined || g.bare || g.angle)) target.append(found[0]); // no link in a link
    else if (g.label !== undefined) target.append(link(g.to, g.label, depth, found[0]));
    else if (g.bare || g.angle) target.append(link(g.bare ?? g.angle, null, depth, found[0]));
    else if (g.strongem) target.append(element("strong", inline(element("em"), g.strongem, depth + 1, linked)));
    else if (g.strong ?? g.bold) target.append(inline(element("strong"), g.strong ?? g.bold, depth + 1, linked));
    else if (g.gone) target.append(inline(element("s"), g.gone, depth + 1, linked));
    else if (g.em ?? g.under) target.append(inline(element("em"), g.em ?? g.under, depth + 1, linked));
    else target.append(element("br"));
  }
  target.append(text.slice(done));
  return target;
}

/** A link, if it leads to the web; a picture is shown as a link, because to load it would tell its server. */
function link(address, label, depth, source) {
  let url = null;
  try {
    url = new URL(address);
  } catch {
    return document.createTextNode(source);
  }
  if (!["http:", "https:", "mailto:"].includes(url.protocol)) return document.createTextNode(source);
  const made = element("a");
  made.href = url.href;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  made.title = url.href;
  if (label) inline(made, label, depth + 1, true);
  else made.append(address);
  return made;
}

const WORDS = new Set(("abstract and as assert async await bool boolean break case catch char class const continue def "
  + "default del do double elif else enum except export extends final finally float fn for from func function if impl "
  + "implements import in instanceof int interface is lambda let long match module mut namespace new nil None not null "
  + "or package pass private protected pub public raise record return self static struct super switch template this "
  + "throw throws trait True False true false try type typedef typename undefined union use using var virtual void "
  + "while with yield select SELECT FROM WHERE INSERT UPDATE DELETE JOIN ON GROUP BY ORDER LIMIT CREATE TABLE echo fi "
  + "then done esac").split(" "));
const HASHES = new Set(["python", "py", "sh", "bash", "shell", "zsh", "yaml", "yml", "toml", "ruby", "rb", "r", "make",
  "makefile", "dockerfile", "perl", "julia", "conf", "ini"]);
const PLAIN = new Set(["", "text", "txt", "plain", "markdown", "md", "output", "console", "log", "csv"]);
const LONGEST = 60000;

/** Comments, strings, numbers and words of most languages; wrong in corners, and never in the text itself. */
function highlight(target, source, language) {
  if (PLAIN.has(language) || source.length > LONGEST) {
    target.append(source);
    return;
  }
  const comment = HASHES.has(language) ? "#[^\\n]*" : language === "sql" || language === "lua" ? "--[^\\n]*"
    : "\\/\\/[^\\n]*|\\/\\*[\\s\\S]*?(?:\\*\\/|$)|<!--[\\s\\S]*?(?:-->|$)";
  const text = "\"\"\"[\\s\\S]*?(?:\"\"\"|$)|\"(?:[^\"\\\\\\n]|\\\\.)*\"?|'(?:[^'\\\\\\n]|\\\\.)*'|`(?:[^`\\\\]|\\\\.)*`";
  const parts = new RegExp("(?<c>" + comment + ")|(?<s>" + text + ")|(?<n>\\b\\d[\\w.]*)|(?<w>[A-Za-z_]\\w*)", "g");
  let done = 0;
  for (const found of source.matchAll(parts)) {
    const { c, s, n, w } = found.groups;
    const kind = c ? "c" : s ? "s" : n ? "n" : WORDS.has(w) ? "k" : "";
    if (!kind) continue;
    const span = element("span", found[0]);
    span.className = kind;
    target.append(source.slice(done, found.index), span);
    done = found.index + found[0].length;
  }
  target.append(source.slice(done));
}
