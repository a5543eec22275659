package dev.puna.tensor;

import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A fixed team of named daemon platform threads that compute together. The caller is member 0. Between tasks the
 * others spin for some microseconds, then park. Work is divided statically: which member does what depends on nothing
 * but the task and the size of the team, and a task must give the same bits for every size (disjoint outputs, or
 * reductions over a fixed division that does not depend on the team).
 *
 * <p>One task runs at a time; tasks must not start tasks of the same team. Not reentrant, not for concurrent callers.
 */
public final class ThreadTeam implements AutoCloseable {
    /** What every member runs; returns when its share is done. */
    @FunctionalInterface
    public interface Task {
        void run(int member, int teamSize);
    }

    /** Takes the half-open range {@code [from, to)}. */
    @FunctionalInterface
    public interface RangeTask {
        void run(long from, long to);
    }

    /** About a tenth of a millisecond: a decode step's pauses are shorter, a user's are longer. */
    private static final int SPINS = 2_000;

    /** How often to look before giving the processor away: not at all when members outnumber processors. */
    private final int spinLimit;

    private final Member[] members;
    private volatile boolean closed;
    private Task task = (member, size) -> {};
    private volatile long round;

    public ThreadTeam(String name, int size) {
        if (size < 1) {
            throw new ConfigurationException("threads", size, "use at least 1");
        }
        this.spinLimit = size <= Runtime.getRuntime().availableProcessors() ? SPINS : 0;
        this.members = new Member[size - 1];
        for (int i = 0; i < members.length; i++) {
            members[i] = new Member(name + "-" + (i + 1), i + 1);
            members[i].thread.start();
        }
    }

    /** A team with one member for every processor that the JVM may use. */
    public static ThreadTeam ofAvailableProcessors(String name) {
        return new ThreadTeam(name, Runtime.getRuntime().availableProcessors());
    }

    public int size() {
        return members.length + 1;
    }

    /**
     * Runs {@code work} on every member and returns when all are done. What a member throws is thrown here, after the
     * others have finished.
     */
    @SuppressWarnings("ThreadPriorityCheck") // only when a member is late: the processor is shared with others
    public void run(Task work) {
        if (closed) {
            throw new IllegalStateException("this thread team is closed");
        }
        int size = size();
        if (size == 1) {
            work.run(0, 1);
            return;
        }
        task = work;
        long current = round + 1;
        round = current; // publishes task
        for (Member member : members) {
            if (member.parked) {
                LockSupport.unpark(member.thread);
            }
        }
        @Nullable RuntimeException failure = null;
        @Nullable Error error = null;
        try {
            work.run(0, size);
        } catch (RuntimeException e) {
            failure = e;
        } catch (Error e) {
            error = e;
        }
        for (Member member : members) {
            int spins = 0;
            while (member.done != current) {
                if (++spins < spinLimit) {
                    Thread.onSpinWait();
                } else {
                    Thread.yield();
                }
            }
            Throwable thrown = member.thrown;
            member.thrown = null;
            if (thrown instanceof RuntimeException e) {
                failure = e;
            } else if (thrown instanceof Error e) {
                error = e;
            }
        }
        if (error != null) {
            throw error;
        }
        if (failure != null) {
            throw failure;
        }
    }

    /**
     * Divides {@code [0, total)} into one contiguous range per member, cut at multiples of {@code grain}, and runs
     * {@code work} on the ranges that are not empty. Small totals stay on the calling thread when they fit one grain.
     */
    public void forRange(long total, long grain, RangeTask work) {
        long grains = (total + grain - 1) / grain;
        if (grains <= 1 || members.length == 0) {
            if (total > 0) {
                work.run(0, total);
            }
            return;
        }
        run((member, size) -> {
            long from = grains * member / size * grain;
            long to = Math.min(grains * (member + 1) / size * grain, total);
            if (from < to) {
                work.run(from, to);
            }
        });
    }

    @Override
    public void close() {
        closed = true;
        for (Member member : members) {
            LockSupport.unpark(member.thread);
        }
    }

    private final class Member implements Runnable {
        final Thread thread;
        final int index;
        volatile boolean parked;
        volatile long done;

        @Nullable
        Throwable thrown; // published by done

        Member(String name, int index) {
            this.index = index;
            this.thread = Thread.ofPlatform().daemon().name(name).unstarted(this);
        }

        @Override
        public void run() {
            long seen = 0;
            while (true) {
                int spins = 0;
                while (round == seen) {
                    if (closed) {
                        return;
                    }
                    if (++spins < spinLimit) {
                        Thread.onSpinWait();
                    } else {
                        parked = true;
                        if (round == seen && !closed) {
                            LockSupport.park(this);
                        }
                        parked = false;
                    }
                }
                seen = round;
                try {
                    task.run(index, size());
                } catch (RuntimeException | Error e) {
                    thrown = e;
                }
                done = seen;
            }
        }
    }
}
