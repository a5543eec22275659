package dev.puna.assembler;

/** A place in the code, made by {@link Assembler#label} and placed by {@link Assembler#bind}; jumps may precede it. */
public final class Label {
    private final String name;
    int item = -1;

    Label(String name) {
        this.name = name;
    }

    /** Its name in the listing. */
    public String name() {
        return name;
    }

    @Override
    public String toString() {
        return name;
    }
}
