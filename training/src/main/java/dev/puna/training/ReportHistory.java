package dev.puna.training;

import java.util.ArrayList;
import java.util.List;

/**
 * The steps of a run for curves and pages, thinned so that a run of any length takes the memory of a few thousand: every
 * stride-th step, the newest, and those that were evaluated or written in. The stride doubles as the run grows.
 *
 * <p>Not for concurrent use.
 */
final class ReportHistory {
    /** Ordinary steps that are kept at least, once there are so many; twice as many at most. */
    static final int POINTS = 2000;

    private final List<StepReport> reports = new ArrayList<>();
    private long stride = 1;
    private int ordinary;

    /** A rollback takes the steps back that it goes behind. */
    void add(StepReport report) {
        if (report.rolledBackTo().isPresent()) {
            long to = report.rolledBackTo().get();
            reports.removeIf(past -> past.step() > to);
            ordinary = count();
            return;
        }
        if (!reports.isEmpty() && !isKept(reports.getLast())) {
            reports.removeLast(); // was there as the newest
        }
        reports.add(report);
        if (isOrdinary(report) && isKept(report) && ++ordinary > 2 * POINTS) {
            stride *= 2;
            reports.removeIf(past -> !isKept(past) && past.step() != report.step());
            ordinary = count();
        }
    }

    private boolean isKept(StepReport report) {
        return !isOrdinary(report) || report.step() % stride == 0;
    }

    private static boolean isOrdinary(StepReport report) {
        return report.validationLoss().isEmpty() && report.samples().isEmpty();
    }

    private int count() {
        return (int) reports.stream().filter(ReportHistory::isOrdinary).count();
    }

    List<StepReport> reports() {
        return List.copyOf(reports);
    }
}
