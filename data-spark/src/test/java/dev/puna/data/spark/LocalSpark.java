package dev.puna.data.spark;

import org.apache.spark.sql.SparkSession;

/** One Spark of two threads for all tests of this JVM; starting it takes seconds. */
final class LocalSpark {
    private LocalSpark() {}

    static final SparkSession SESSION = SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "3")
            .config("spark.local.dir", System.getProperty("java.io.tmpdir"))
            .getOrCreate();
}
