package dev.puna.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The files of Linux, as containers of both versions of control groups show them. */
class MachineMemoryTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path root;

    @BeforeEach
    void machineOf16GiB() throws IOException {
        write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:    8388608 kB\n");
    }

    private void write(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    @Test
    void withoutALimitItIsTheMachines() throws IOException {
        assertThat(MachineMemory.read(root)).isEqualTo(new MachineMemory(16_384 * MIB, 8_192 * MIB));
        write("proc/self/cgroup", "0::/\n");
        write("sys/fs/cgroup/memory.max", "max\n");
        write("sys/fs/cgroup/memory.current", "12345\n");
        assertThat(MachineMemory.read(root)).isEqualTo(new MachineMemory(16_384 * MIB, 8_192 * MIB));
        write("proc/self/cgroup", "4:memory:/\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"); // what version 1 says for none
        assertThat(MachineMemory.read(root)).isEqualTo(new MachineMemory(16_384 * MIB, 8_192 * MIB));
    }

    @Test
    void aContainerOfVersion2() throws IOException {
        write("proc/self/cgroup", "0::/\n");
        write("sys/fs/cgroup/memory.max", 1024 * MIB + "\n");
        write("sys/fs/cgroup/memory.current", 700 * MIB + "\n");
        write("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file " + 500 * MIB + "\nactive_file 3\n");
        assertThat(MachineMemory.read(root)).isEqualTo(new MachineMemory(1024 * MIB, 824 * MIB));
    }

    @Test
    void aLimitOfAGroupHoldsForThoseBelow() throws IOException {
        write("proc/self/cgroup", "0::/user.slice/job\n");
        write("sys/fs/cgroup/user.slice/memory.max", 512 * MIB + "\n");
        write("sys/fs/cgroup/user.slice/memory.current", 100 * MIB + "\n");
        write("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
        assertThat(MachineMemory.read(root)).isEqualTo(new MachineMemory(512 * MIB, 412 * MIB));
    }

    /** A container sees its own group as the root of the mount, and the path of the machine. */
    @Test
    void aContainerOfVersion1() throws IOException {
        write("proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", 256 * MIB + "\n");
        write("sys/fs/cgroup/memory/memory.usage_in_bytes", 200 * MIB + "\n");
        write("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file " + 50 * MIB + "\n");
        assertThat(MachineMemory.read(root)).isEqualTo(new MachineMemory(256 * MIB, 106 * MIB));
    }

    @Test
    void thisMachineHasSome() {
        MachineMemory memory = MachineMemory.now();
        assertThat(memory.availableBytes()).isPositive().isLessThanOrEqualTo(memory.totalBytes());
    }
}
