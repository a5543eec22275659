package dev.puna.tokenizer.template;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Builds the tree of a template by recursive descent. Precedence, from loose to tight: {@code if else}, {@code or},
 * {@code and}, {@code not}, comparisons and {@code in}, {@code + -}, {@code ~}, {@code * / // %}, {@code **}, sign, then
 * postfix {@code . [] ()}, and last filters and tests, which bind to the operand directly before them.
 */
final class Parser {
    /** Blocks and brackets in one another. */
    private static final int MAX_NESTING = 90;

    private static final int MAX_SOURCE_LENGTH = 1_000_000;
    private static final Expression[] NO_EXPRESSIONS = {};
    /** No template can spell this name: it holds what a block captured, for the filters of the block. */
    private static final String CAPTURED = "captured text";

    private final List<Token> tokens;
    private int position;
    private int nesting;
    private int loops;
    private int loopNames;
    private int callerNames;
    private int kwargsNames;
    private int varargsNames;

    private Parser(List<Token> tokens) {
        this.tokens = tokens;
    }

    /** A template ready to run. */
    record Program(Statement.Body body, Scope.Function function, Scope.Entrance entrance, boolean marksGeneration) {}

    static Program parse(String source) {
        if (source.length() > MAX_SOURCE_LENGTH) {
            throw new TemplateException(
                    TemplateException.Kind.LIMIT,
                    0,
                    "a template of " + source.length() + " characters; at most " + MAX_SOURCE_LENGTH + " are allowed");
        }
        List<Token> tokens = Lexer.tokens(source);
        Parser parser = new Parser(tokens);
        Statement.Body body = parser.body();
        if (parser.current().kind() != Token.Kind.END) {
            throw parser.unknownTag();
        }
        boolean marks = false;
        for (int i = 0; i + 1 < tokens.size(); i++) {
            marks |= tokens.get(i).kind() == Token.Kind.BLOCK_BEGIN
                    && tokens.get(i + 1).isName("generation");
        }
        Scope scope = Scope.root();
        body.collect(scope);
        Scope.Entrance entrance = scope.entrance();
        body.bind(scope);
        return new Program(body, scope.function(), entrance, marks);
    }

    private Token current() {
        return tokens.get(position);
    }

    private Token next() {
        Token token = tokens.get(position);
        if (token.kind() != Token.Kind.END) {
            position++;
        }
        return token;
    }

    private Token look() {
        return tokens.get(Math.min(position + 1, tokens.size() - 1));
    }

    private static TemplateException error(int line, String detail) {
        return new TemplateException(TemplateException.Kind.SYNTAX, line, detail);
    }

    private TemplateException expected(String what) {
        return error(
                current().line(), "expected " + what + ", found " + current().described());
    }

    private boolean skipName(String name) {
        if (current().isName(name)) {
            position++;
            return true;
        }
        return false;
    }

    private boolean skipOperator(String operator) {
        if (current().isOperator(operator)) {
            position++;
            return true;
        }
        return false;
    }

    private void expectOperator(String operator) {
        if (!skipOperator(operator)) {
            throw expected("'" + operator + "'");
        }
    }

    private String expectName(String what) {
        if (current().kind() != Token.Kind.NAME) {
            throw expected(what);
        }
        return next().text();
    }

    private void expect(Token.Kind kind, String what) {
        if (current().kind() != kind) {
            throw expected(what);
        }
        next();
    }

    private void descend() {
        if (++nesting > MAX_NESTING) {
            throw new TemplateException(
                    TemplateException.Kind.LIMIT,
                    current().line(),
                    "blocks or brackets nest more than " + MAX_NESTING + " levels deep");
        }
    }

    private void ascend() {
        nesting--;
    }

    // ---- statements

    /** Statements up to the end of the template or a tag of {@code ends}, whose name is then the current token. */
    private Statement.Body body(String... ends) {
        List<Statement> statements = new ArrayList<>();
        descend();
        while (true) {
            Token token = current();
            if (token.kind() == Token.Kind.DATA) {
                statements.add(new Statement.TextOutput(next().text()));
            } else if (token.kind() == Token.Kind.VARIABLE_BEGIN) {
                next();
                Expression value = tuple(true);
                expect(Token.Kind.VARIABLE_END, "'}}'");
                statements.add(new Statement.Output(value));
            } else if (token.kind() == Token.Kind.BLOCK_BEGIN) {
                next();
                if (current().kind() != Token.Kind.NAME) {
                    throw expected("the name of a tag");
                }
                for (String end : ends) {
                    if (current().isName(end)) {
                        ascend();
                        return new Statement.Body(statements);
                    }
                }
                statement(statements);
                expect(Token.Kind.BLOCK_END, "'%}'");
            } else {
                if (ends.length > 0) {
                    throw expected("{% " + String.join(" %} or {% ", ends) + " %}");
                }
                ascend();
                return new Statement.Body(statements);
            }
        }
    }

    /** The end of an opening tag, and what follows up to one of {@code ends}. */
    private Statement.Body block(String... ends) {
        skipOperator(":");
        expect(Token.Kind.BLOCK_END, "'%}'");
        return body(ends);
    }

    private TemplateException unknownTag() {
        return error(current().line(), "unknown or misplaced tag " + current().described());
    }

    private void statement(List<Statement> statements) {
        Token tag = current();
        switch (tag.text()) {
            case "set" -> statements.add(set());
            case "for" -> statements.add(forLoop());
            case "if" -> statements.add(ifElse());
            case "macro" -> statements.add(macro());
            case "call" -> statements.add(callBlock());
            case "filter" -> statements.add(filterBlock());
            case "with" -> statements.add(with());
            case "generation" -> statements.add(generation());
            case "print" -> print(statements);
            case "break", "continue" -> {
                if (loops == 0) {
                    throw error(tag.line(), tag.described() + " outside of a loop");
                }
                next();
                statements.add(tag.text().equals("break") ? new Statement.Break() : new Statement.Continue());
            }
            case "include", "import", "from", "extends", "block" ->
                throw error(
                        tag.line(), tag.described() + " needs other template files; a chat template has only itself");
            case "autoescape" -> throw error(tag.line(), "'autoescape' is not supported: chats are not HTML");
            default -> throw unknownTag();
        }
    }

    private Statement set() {
        int line = next().line();
        Target target = target("=", true);
        if (skipOperator("=")) {
            return new Statement.Assign(line, target, tuple(true));
        }
        Target captured = new Target.NameTarget(CAPTURED);
        Expression filtered = filters(new Expression.Name(line, CAPTURED), false);
        Statement.Body body = block("endset");
        next();
        return new Statement.AssignBlock(line, target, captured, filtered, body);
    }

    private Statement forLoop() {
        int line = next().line();
        Target target = target("in", false);
        if (!skipName("in")) {
            throw expected("'in'");
        }
        Expression sequence = tuple(false, "recursive");
        Expression test = skipName("if") ? expression() : null;
        boolean recursive = skipName("recursive");
        int loopNamesBefore = loopNames;
        loops++;
        Statement.Body body = block("endfor", "else");
        loops--;
        boolean usesLoop = loopNames > loopNamesBefore;
        Statement.Body otherwise = null;
        if (next().isName("else")) {
            otherwise = block("endfor");
            next();
        }
        return new Statement.For(line, target, sequence, body, otherwise, test, recursive, usesLoop);
    }

    private Statement ifElse() {
        List<Expression> tests = new ArrayList<>();
        List<Statement.Body> bodies = new ArrayList<>();
        Statement.Body otherwise = null;
        do {
            next();
            tests.add(tuple(false));
            bodies.add(block("elif", "else", "endif"));
        } while (current().isName("elif"));
        if (next().isName("else")) {
            otherwise = block("endif");
            next();
        }
        return new Statement.If(tests, bodies, otherwise);
    }

    private Statement with() {
        next();
        List<Target> targets = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (current().kind() != Token.Kind.BLOCK_END && !current().isOperator(":")) {
            if (!targets.isEmpty()) {
                expectOperator(",");
            }
            targets.add(target("=", false));
            expectOperator("=");
            values.add(expression());
        }
        Statement.Body body = block("endwith");
        next();
        return new Statement.With(targets, values, body);
    }

    private Statement macro() {
        next();
        String name = expectName("the name of the macro");
        return new Statement.Macro(macroBody(name, true, "endmacro"));
    }

    private Statement callBlock() {
        int line = next().line();
        List<String> parameters = new ArrayList<>();
        List<@Nullable Expression> defaults = new ArrayList<>();
        if (current().isOperator("(")) {
            signature(parameters, defaults);
        }
        if (!(expression() instanceof Expression.Call call)) {
            throw error(line, "expected the call of a macro after 'call'");
        }
        return new Statement.CallBlock(macroBody("caller", parameters, defaults, "endcall"), call);
    }

    private Statement generation() {
        int line = next().line();
        return new Statement.Generation(line, macroBody("generation", false, "endgeneration"));
    }

    private Statement.MacroBody macroBody(String name, boolean signed, String end) {
        List<String> parameters = new ArrayList<>();
        List<@Nullable Expression> defaults = new ArrayList<>();
        if (signed) {
            signature(parameters, defaults);
        }
        return macroBody(name, parameters, defaults, end);
    }

    private Statement.MacroBody macroBody(
            String name, List<String> parameters, List<@Nullable Expression> defaults, String end) {
        int callerBefore = callerNames;
        int kwargsBefore = kwargsNames;
        int varargsBefore = varargsNames;
        int loopsBefore = loops;
        loops = 0;
        Statement.Body body = block(end);
        next();
        loops = loopsBefore;
        return new Statement.MacroBody(
                name,
                parameters,
                defaults,
                body,
                callerNames > callerBefore,
                kwargsNames > kwargsBefore,
                varargsNames > varargsBefore);
    }

    private void signature(List<String> parameters, List<@Nullable Expression> defaults) {
        expectOperator("(");
        boolean optional = false;
        while (!current().isOperator(")")) {
            if (!parameters.isEmpty()) {
                expectOperator(",");
            }
            int line = current().line();
            String name = assignable(line, expectName("the name of a parameter"));
            if (parameters.contains(name)) {
                throw error(line, "parameter '" + name + "' stands twice");
            }
            parameters.add(name);
            if (skipOperator("=")) {
                defaults.add(expression());
                optional = true;
            } else if (optional) {
                throw error(line, "parameter '" + name + "' without a default follows one with a default");
            } else {
                defaults.add(null);
            }
        }
        next();
    }

    private Statement filterBlock() {
        int line = next().line();
        Target captured = new Target.NameTarget(CAPTURED);
        Expression filtered = filters(new Expression.Name(line, CAPTURED), true);
        Statement.Body body = block("endfilter");
        next();
        return new Statement.FilterBlock(captured, filtered, body);
    }

    private void print(List<Statement> statements) {
        next();
        boolean first = true;
        while (current().kind() != Token.Kind.BLOCK_END) {
            if (!first) {
                expectOperator(",");
            }
            first = false;
            statements.add(new Statement.Output(expression()));
        }
    }

    // ---- assignment targets

    private static String assignable(int line, String name) {
        return switch (name) {
            case "true", "false", "none", "True", "False", "None" ->
                throw error(line, "can't assign to '" + name + "'");
            default -> name;
        };
    }

    private Target target(String end, boolean namespaces) {
        List<Target> targets = new ArrayList<>();
        boolean isTuple = false;
        while (true) {
            Token token = current();
            if (isTuple
                    && (token.isName(end)
                            || token.isOperator(end)
                            || (token.kind() != Token.Kind.NAME && !token.isOperator("(")))) {
                break;
            }
            targets.add(singleTarget(namespaces));
            if (!skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        return isTuple ? new Target.TupleTarget(targets) : targets.get(0);
    }

    private Target singleTarget(boolean namespaces) {
        Token token = current();
        if (skipOperator("(")) {
            descend();
            Target inside = target(")", namespaces);
            ascend();
            expectOperator(")");
            return inside;
        }
        String name = assignable(token.line(), expectName("a name to assign to"));
        if (namespaces && skipOperator(".")) {
            return new Target.AttributeTarget(
                    new Expression.Name(token.line(), name), expectName("the name of an attribute"));
        }
        if (name.equals("loop") && !namespaces) {
            throw error(token.line(), "can't assign to special loop variable in for-loop target");
        }
        return new Target.NameTarget(name);
    }

    // ---- expressions

    private boolean atTupleEnd(String extraEnd) {
        Token token = current();
        return token.kind() == Token.Kind.VARIABLE_END
                || token.kind() == Token.Kind.BLOCK_END
                || token.isOperator(")")
                || (!extraEnd.isEmpty() && token.isName(extraEnd));
    }

    private Expression tuple(boolean conditional) {
        return tuple(conditional, "");
    }

    /** An expression, or several with commas between them. */
    private Expression tuple(boolean conditional, String extraEnd) {
        int line = current().line();
        List<Expression> items = new ArrayList<>();
        boolean isTuple = false;
        while (!atTupleEnd(extraEnd)) {
            items.add(conditional ? expression() : or());
            if (!skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (isTuple) {
            return new Expression.TupleLiteral(line, items.toArray(NO_EXPRESSIONS));
        }
        if (items.isEmpty()) {
            throw expected("an expression");
        }
        return items.get(0);
    }

    private Expression expression() {
        descend();
        int line = current().line();
        Expression value = or();
        while (skipName("if")) {
            Expression test = or();
            Expression otherwise = skipName("else")
                    ? expression()
                    : new Expression.Constant(
                            line,
                            Undefined.because("the inline if-expression on line " + line
                                    + " evaluated to false and no else section was defined."));
            value = new Expression.Conditional(line, test, value, otherwise);
            line = current().line();
        }
        ascend();
        return value;
    }

    private Expression or() {
        Expression left = and();
        while (current().isName("or")) {
            int line = next().line();
            left = new Expression.Or(line, left, and());
        }
        return left;
    }

    private Expression and() {
        Expression left = not();
        while (current().isName("and")) {
            int line = next().line();
            left = new Expression.And(line, left, not());
        }
        return left;
    }

    private Expression not() {
        if (current().isName("not")) {
            int line = next().line();
            descend();
            Expression operand = not();
            ascend();
            return new Expression.Not(line, operand);
        }
        return comparison();
    }

    private Expression comparison() {
        int line = current().line();
        Expression first = sum();
        List<Expression.Compare.Relation> operators = new ArrayList<>();
        List<Expression> operands = new ArrayList<>();
        while (true) {
            Expression.Compare.Relation operator = comparisonOperator();
            if (operator == null) {
                break;
            }
            operators.add(operator);
            operands.add(sum());
        }
        if (operators.isEmpty()) {
            return first;
        }
        operands.add(0, first);
        return new Expression.Compare(
                line, operators.toArray(new Expression.Compare.Relation[0]), operands.toArray(NO_EXPRESSIONS));
    }

    private Expression.Compare.@Nullable Relation comparisonOperator() {
        Token token = current();
        if (token.kind() == Token.Kind.OPERATOR) {
            Expression.Compare.Relation operator = switch (token.text()) {
                case "==" -> Expression.Compare.Relation.EQUAL;
                case "!=" -> Expression.Compare.Relation.NOT_EQUAL;
                case "<" -> Expression.Compare.Relation.LESS;
                case "<=" -> Expression.Compare.Relation.LESS_OR_EQUAL;
                case ">" -> Expression.Compare.Relation.GREATER;
                case ">=" -> Expression.Compare.Relation.GREATER_OR_EQUAL;
                default -> null;
            };
            if (operator != null) {
                next();
            }
            return operator;
        }
        if (skipName("in")) {
            return Expression.Compare.Relation.IN;
        }
        if (token.isName("not") && look().isName("in")) {
            position += 2;
            return Expression.Compare.Relation.NOT_IN;
        }
        return null;
    }

    private Expression sum() {
        Expression left = concat();
        while (current().isOperator("+") || current().isOperator("-")) {
            Token operator = next();
            left = new Expression.Binary(
                    operator.line(),
                    operator.text().equals("+") ? Expression.Binary.Operator.ADD : Expression.Binary.Operator.SUBTRACT,
                    left,
                    concat());
        }
        return left;
    }

    private Expression concat() {
        int line = current().line();
        Expression first = product();
        if (!current().isOperator("~")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>();
        parts.add(first);
        while (skipOperator("~")) {
            parts.add(product());
        }
        return new Expression.Concat(line, parts.toArray(NO_EXPRESSIONS));
    }

    private Expression product() {
        Expression left = power();
        while (current().kind() == Token.Kind.OPERATOR) {
            Expression.Binary.Operator operator = switch (current().text()) {
                case "*" -> Expression.Binary.Operator.MULTIPLY;
                case "/" -> Expression.Binary.Operator.DIVIDE;
                case "//" -> Expression.Binary.Operator.FLOOR_DIVIDE;
                case "%" -> Expression.Binary.Operator.MODULO;
                default -> null;
            };
            if (operator == null) {
                break;
            }
            int line = next().line();
            left = new Expression.Binary(line, operator, left, power());
        }
        return left;
    }

    private Expression power() {
        Expression left = unary(true);
        while (current().isOperator("**")) {
            int line = next().line();
            left = new Expression.Binary(line, Expression.Binary.Operator.POWER, left, unary(true));
        }
        return left;
    }

    private Expression unary(boolean withFilters) {
        Token token = current();
        Expression value;
        if (token.isOperator("-") || token.isOperator("+")) {
            next();
            descend();
            value = new Expression.Negative(token.line(), unary(false), token.isOperator("-"));
            ascend();
        } else {
            value = primary();
        }
        value = postfix(value);
        return withFilters ? filtersAndTests(value) : value;
    }

    private Expression primary() {
        Token token = current();
        switch (token.kind()) {
            case NAME -> {
                next();
                return name(token);
            }
            case STRING -> {
                StringBuilder text = new StringBuilder();
                while (current().kind() == Token.Kind.STRING) {
                    text.append(next().text());
                }
                return new Expression.Constant(token.line(), text.toString());
            }
            case NUMBER -> {
                next();
                return new Expression.Constant(token.line(), token.value());
            }
            case OPERATOR -> {
                switch (token.text()) {
                    case "(" -> {
                        return parenthesised();
                    }
                    case "[" -> {
                        next();
                        return new Expression.ListLiteral(token.line(), items("]"));
                    }
                    case "{" -> {
                        next();
                        return new Expression.DictLiteral(token.line(), pairs());
                    }
                    default -> throw expected("an expression");
                }
            }
            case DATA, VARIABLE_BEGIN, VARIABLE_END, BLOCK_BEGIN, BLOCK_END, END -> throw expected("an expression");
        }
        throw expected("an expression");
    }

    private Expression name(Token token) {
        switch (token.text()) {
            case "true", "True" -> {
                return new Expression.Constant(token.line(), true);
            }
            case "false", "False" -> {
                return new Expression.Constant(token.line(), false);
            }
            case "none", "None" -> {
                return new Expression.Constant(token.line(), None.NONE);
            }
            case "loop" -> loopNames++;
            case "caller" -> callerNames++;
            case "kwargs" -> kwargsNames++;
            case "varargs" -> varargsNames++;
            default -> {}
        }
        return new Expression.Name(token.line(), token.text());
    }

    private Expression parenthesised() {
        int line = next().line();
        descend();
        Expression value = current().isOperator(")") ? new Expression.TupleLiteral(line, NO_EXPRESSIONS) : tuple(true);
        ascend();
        expectOperator(")");
        return value;
    }

    private Expression[] items(String end) {
        List<Expression> items = new ArrayList<>();
        while (!current().isOperator(end)) {
            items.add(expression());
            if (!current().isOperator(end)) {
                expectOperator(",");
            }
        }
        next();
        return items.toArray(NO_EXPRESSIONS);
    }

    private Expression[] pairs() {
        List<Expression> items = new ArrayList<>();
        while (!current().isOperator("}")) {
            items.add(expression());
            expectOperator(":");
            items.add(expression());
            if (!current().isOperator("}")) {
                expectOperator(",");
            }
        }
        next();
        return items.toArray(NO_EXPRESSIONS);
    }

    private Expression postfix(Expression start) {
        Expression value = start;
        while (true) {
            Token token = current();
            if (token.isOperator(".")) {
                next();
                Token attribute = next();
                if (attribute.kind() == Token.Kind.NAME) {
                    value = new Expression.Attribute(token.line(), value, attribute.text());
                } else if (attribute.kind() == Token.Kind.NUMBER && !(attribute.value() instanceof Double)) {
                    value = new Expression.Item(
                            token.line(), value, new Expression.Constant(token.line(), attribute.value()));
                } else {
                    throw error(attribute.line(), "expected name or number after '.', found " + attribute.described());
                }
            } else if (token.isOperator("[")) {
                next();
                value = subscript(token.line(), value);
            } else if (token.isOperator("(")) {
                value = new Expression.Call(token.line(), value, arguments());
            } else {
                return value;
            }
        }
    }

    private Expression subscript(int line, Expression owner) {
        Expression none = new Expression.Constant(line, None.NONE);
        Expression start = current().isOperator(":") ? none : expression();
        if (current().isOperator(":")) {
            next();
            Expression stop = current().isOperator(":") || current().isOperator("]") ? none : expression();
            Expression step = skipOperator(":") && !current().isOperator("]") ? expression() : none;
            expectOperator("]");
            return new Expression.Slice(line, owner, start, stop, step);
        }
        if (current().isOperator(",")) {
            List<Expression> items = new ArrayList<>(List.of(start));
            while (skipOperator(",") && !current().isOperator("]")) {
                items.add(expression());
            }
            start = new Expression.TupleLiteral(line, items.toArray(NO_EXPRESSIONS));
        }
        expectOperator("]");
        return new Expression.Item(line, owner, start);
    }

    private Expression.CallArguments arguments() {
        int line = current().line();
        expectOperator("(");
        List<Expression> positional = new ArrayList<>();
        List<String> names = new ArrayList<>();
        List<Expression> named = new ArrayList<>();
        Expression star = null;
        Expression doubleStar = null;
        while (!current().isOperator(")")) {
            if (skipOperator("**")) {
                requireOrder(line, doubleStar == null);
                doubleStar = expression();
            } else if (skipOperator("*")) {
                requireOrder(line, star == null && doubleStar == null);
                star = expression();
            } else if (current().kind() == Token.Kind.NAME && look().isOperator("=")) {
                requireOrder(line, doubleStar == null);
                String name = next().text();
                next();
                requireOrder(line, !names.contains(name));
                names.add(name);
                named.add(expression());
            } else {
                requireOrder(line, star == null && doubleStar == null && names.isEmpty());
                positional.add(expression());
            }
            if (!current().isOperator(")")) {
                expectOperator(",");
            }
        }
        next();
        return new Expression.CallArguments(
                positional.toArray(NO_EXPRESSIONS),
                names.toArray(new String[0]),
                named.toArray(NO_EXPRESSIONS),
                star,
                doubleStar);
    }

    private static void requireOrder(int line, boolean inOrder) {
        if (!inOrder) {
            throw error(
                    line, "expected arguments in the order: by position, by name (each once), *sequence, **mapping");
        }
    }

    private Expression.CallArguments noArguments() {
        return new Expression.CallArguments(NO_EXPRESSIONS, new String[0], NO_EXPRESSIONS, null, null);
    }

    private Expression filtersAndTests(Expression start) {
        Expression value = start;
        while (true) {
            if (current().isOperator("|")) {
                value = filters(value, false);
            } else if (current().isName("is")) {
                value = test(value);
            } else if (current().isOperator("(")) {
                int line = current().line();
                value = new Expression.Call(line, value, arguments());
            } else {
                return value;
            }
        }
    }

    /** {@code |name(…)|name(…)…}; with {@code started}, the first filter stands without its bar. */
    private Expression filters(Expression input, boolean started) {
        Expression value = input;
        boolean first = started;
        while (first || skipOperator("|")) {
            first = false;
            int line = current().line();
            String name = dotted("the name of a filter");
            if (!Filters.knows(name)) {
                throw error(line, Filters.refusal(name));
            }
            Expression.CallArguments arguments = current().isOperator("(") ? arguments() : noArguments();
            value = new Expression.FilterCall(line, value, name, arguments);
        }
        return value;
    }

    private String dotted(String what) {
        String name = expectName(what);
        while (skipOperator(".")) {
            name = name + "." + expectName(what);
        }
        return name;
    }

    private Expression test(Expression input) {
        next();
        boolean negated = skipName("not");
        Token token = current();
        String name = dotted("the name of a test");
        if (!Tests.knows(name)) {
            throw error(token.line(), "no test named '" + name + "'");
        }
        Expression.CallArguments arguments = noArguments();
        Token after = current();
        if (after.isOperator("(")) {
            arguments = arguments();
        } else if (startsOperand(after)) {
            if (after.isName("is")) {
                throw error(after.line(), "tests can't be chained with 'is'");
            }
            Expression operand = postfix(primary());
            arguments =
                    new Expression.CallArguments(new Expression[] {operand}, new String[0], NO_EXPRESSIONS, null, null);
        }
        Expression value = new Expression.TestCall(token.line(), input, name, arguments);
        return negated ? new Expression.Not(token.line(), value) : value;
    }

    private static boolean startsOperand(Token token) {
        return switch (token.kind()) {
            case NAME ->
                !token.text().equals("else")
                        && !token.text().equals("or")
                        && !token.text().equals("and");
            case STRING, NUMBER -> true;
            case OPERATOR -> token.text().equals("[") || token.text().equals("{");
            case DATA, VARIABLE_BEGIN, VARIABLE_END, BLOCK_BEGIN, BLOCK_END, END -> false;
        };
    }
}
