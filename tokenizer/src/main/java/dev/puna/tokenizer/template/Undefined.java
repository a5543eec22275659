package dev.puna.tokenizer.template;

/**
 * What a name or attribute gives that does not exist. It prints as nothing, iterates as nothing and is false; any other
 * use fails with the reason carried here.
 */
final class Undefined {
    private final String reason;

    private Undefined(String reason) {
        this.reason = reason;
    }

    static Undefined because(String reason) {
        return new Undefined(reason);
    }

    static Undefined name(String name) {
        return new Undefined(Text.repr(name) + " is undefined");
    }

    static Undefined attribute(Object owner, String name) {
        String type = owner == None.NONE ? "None" : Values.typeName(owner) + " object";
        return new Undefined("'" + type + "' has no attribute " + Text.repr(name));
    }

    static Undefined element(Object owner, String index) {
        String type = owner == None.NONE ? "None" : Values.typeName(owner) + " object";
        return new Undefined(type + " has no element " + index);
    }

    static Undefined unsafe(Object owner, String name) {
        return new Undefined(
                "access to attribute " + Text.repr(name) + " of '" + Values.typeName(owner) + "' object is unsafe");
    }

    TemplateException failure() {
        return TemplateException.runtime(reason);
    }
}
