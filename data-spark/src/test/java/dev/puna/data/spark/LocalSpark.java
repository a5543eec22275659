package dev.puna.data.spark;

import org.apache.spark.sql.SparkSession;

/** One Spark of two threads for all tests of this JVM, as starting it takes seconds; a new one when it was stopped. */
final class LocalSpark {
    private LocalSpark() {}

    static SparkSession session() {
        return SparkSession.builder()
                .master("local[2]")
                .config("spark.ui.enabled", "false")
                .config("spark.driver.host", "127.0.0.1")
                .config("spark.driver.bindAddress", "127.0.0.1")
                .config("spark.sql.shuffle.partitions", "3")
                .config("spark.local.dir", System.getProperty("java.io.tmpdir"))
                .getOrCreate();
    }
}
