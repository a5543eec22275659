package dev.puna.kernels.x86;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Rate of the inner tiles alone, everything in the first two caches. */
final class TileBench {
    private static final int SIDES = 14;

    public static void main(String[] args) {
        int in = Integer.getInteger("in", 2048);
        ((dev.puna.assembler.Processor) dev.puna.assembler.Processor.detect()).requestTiles();
        try (Arena arena = Arena.ofShared()) {
            CodeCache codes = new CodeCache(arena);
            ArgumentBlock block = new ArgumentBlock(arena);
            MemorySegment panel = arena.allocate(32 << 20, 4096);
            MemorySegment x = arena.allocate(32 << 20, 4096);
            MemorySegment y = arena.allocate(32 << 20, 4096);
            MemorySegment scratch = arena.allocate(1 << 18, 16384);
            TileSchedule.Shape shape = new TileSchedule.Shape(TileSchedule.TILES, SIDES, in, 32, false, 64L * SIDES);
            MemorySegment units = TileSchedule.of(shape, arena);
            MemorySegment amx = codes.get("amx", () -> AmxTile.code(16, 32, false));
            MemorySegment vnni = codes.get("vnni", () -> PanelTile.code(6, 32, true, false));
            double bestAmx = 0;
            double bestVnni = 0;
            for (int run = 0; run < 300; run++) {
                int calls = 10;
                long t = cpu();
                for (int i = 0; i < calls; i++) {
                    block.set(AmxTile.X, x.address())
                            .set(AmxTile.SIDES, panel.address())
                            .set(AmxTile.Y, y.address())
                            .set(AmxTile.Y_STRIDE, 64L * SIDES)
                            .set(AmxTile.SCRATCH, scratch.address())
                            .set(AmxTile.SUMS, scratch.address() + 16384)
                            .set(AmxTile.UNITS, units.address())
                            .set(AmxTile.UNIT_COUNT, shape.units())
                            .set(AmxTile.NEXT, panel.address())
                            .set(AmxTile.NEXT_STEP, 0)
                            .call(amx);
                }
                double amxRate = 16.0 * 16 * 2 * SIDES * TileSchedule.TILES * in * calls / (cpu() - t);
                t = cpu();
                for (int i = 0; i < calls; i++) {
                    block.set(PanelTile.WEIGHTS, panel.address())
                            .set(PanelTile.SCALES, panel.address() + 32L * in)
                            .set(PanelTile.PANEL_STRIDE, 0)
                            .set(PanelTile.X_TILE, 0)
                            .set(PanelTile.Y_TILE, 0)
                            .set(PanelTile.PANEL_REWIND, 0)
                            .set(PanelTile.PANELS, 1)
                            .set(PanelTile.TILES, 8)
                            .set(PanelTile.GROUPS, in / 32)
                            .set(PanelTile.Q, x.address())
                            .set(PanelTile.X_SCALES, x.address() + in)
                            .set(PanelTile.X_STARTS, x.address() + in)
                            .set(PanelTile.X_SUMS, x.address() + in)
                            .set(PanelTile.X_STRIDE, QuantizedRows.stride(in, 32))
                            .set(PanelTile.Y, y.address())
                            .set(PanelTile.Y_STRIDE, 128)
                            .set(PanelTile.Y_SECOND, 64)
                            .call(vnni);
                }
                double vnniRate = 16.0 * 6 * 32 * in * calls / (cpu() - t);
                bestAmx = Math.max(bestAmx, amxRate);
                bestVnni = Math.max(bestVnni, vnniRate);
            }
            System.out.printf("amx %.0f vnni %.0f GOP/s%n", bestAmx, bestVnni);
        }
    }

    private static long cpu() {
        return System.nanoTime();
    }
}
