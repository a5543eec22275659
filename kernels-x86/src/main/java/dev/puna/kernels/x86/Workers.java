package dev.puna.kernels.x86;

import dev.puna.tensor.ThreadTeam;

/** The members of a team, each with its own block of arguments. */
record Workers(ThreadTeam threads, ArgumentBlock[] arguments) {
    interface Range {
        void run(ArgumentBlock arguments, long from, long to);
    }

    /** As {@link Range}, for who has something else for each member. */
    interface MemberRange {
        void run(ArgumentBlock arguments, int member, long from, long to);
    }

    /** As {@link ThreadTeam#forRange}, and gives the arguments of the member that runs. */
    void inRanges(long total, long grain, Range task) {
        inMemberRanges(total, grain, (arguments, _, from, to) -> task.run(arguments, from, to));
    }

    /** The same with the number of the member that runs. */
    void inMemberRanges(long total, long grain, MemberRange task) {
        long grains = (total + grain - 1) / grain;
        if (grains <= 1) {
            if (total > 0) {
                task.run(arguments[0], 0, 0, total);
            }
            return;
        }
        threads.run((member, size) -> {
            long from = grains * member / size * grain;
            long to = Math.min(grains * (member + 1) / size * grain, total);
            if (from < to) {
                task.run(arguments[member], member, from, to);
            }
        });
    }
}
