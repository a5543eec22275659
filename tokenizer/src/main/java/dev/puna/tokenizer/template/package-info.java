/**
 * Chat templates: from a conversation to the text that a model was trained to continue.
 *
 * <p>Models ship their chat format as a Jinja program. This package is a small Jinja interpreter that renders such
 * programs to the byte as transformers does, which runs them in jinja2's immutable sandbox with {@code trim_blocks},
 * {@code lstrip_blocks}, loop controls and its own {@code tojson}, {@code strftime_now}, {@code raise_exception} and
 * {@code {% generation %}}. {@link dev.puna.tokenizer.template.ChatTemplate} is the door.
 *
 * <p>The way of a template: {@code Lexer} cuts the source into tokens and applies whitespace control, {@code Parser}
 * builds {@code Statement}s and {@code Expression}s, {@code Scope} decides once which slot of which activation each name
 * means, and the nodes then run themselves over a {@code Rendering}. Values are Python's: {@code None}, {@code Boolean},
 * {@code Long} or {@code BigInteger}, {@code Double}, {@code String}, {@code Markup}, {@code List}, {@code Tuple},
 * {@code Dict} and a few more; {@code Values} knows their truth, text, equality, order and arithmetic.
 *
 * <p>Two invariants. A template is a stranger's program: each step and each character it makes is charged to a budget,
 * so that it ends in bounded time and memory with a {@link dev.puna.tokenizer.template.TemplateException} at worst. And
 * a user's text is a value: it is printed, cut and compared, but never read as template source.
 *
 * <p>References: the Jinja template designer documentation (jinja.palletsprojects.com), version 3.1; the chat templating
 * pages of transformers; the Python language reference for the semantics of values.
 */
@org.jspecify.annotations.NullMarked
package dev.puna.tokenizer.template;
