"""Writes the Parquet files that ParquetReaderTest reads: the same rows in the encodings that exporters choose.

    python3 tools/golden/parquet.py data/src/test/resources/parquet

Made with pyarrow 25.0.1.
"""

import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

out = pathlib.Path(sys.argv[1])
rows = 300
table = pa.table(
    {
        "content": pa.array([f"int value{i} = {i * 7919};\n" * (1 + i % 5) for i in range(rows)]),
        "path": pa.array([f"src/dir{i % 3}/File{i}.java" for i in range(rows)]),
        "repo_name": pa.array([["one/two", "three/four", None][i % 3] for i in range(rows)], pa.string()),
        "license": pa.array([["mit", "gpl-2.0", "apache-2.0", None][i % 4] for i in range(rows)], pa.string()),
        "size": pa.array([None if i % 7 == 0 else i * 1_000_003 for i in range(rows)], pa.int64()),
        "stars": pa.array([i % 11 for i in range(rows)], pa.int32()),
        "share": pa.array([i / 8 for i in range(rows)], pa.float64()),
        "fork": pa.array([i % 3 == 0 for i in range(rows)], pa.bool_()),
        "topics": pa.array([["a"] * (i % 3) for i in range(rows)], pa.list_(pa.string())),
        "owner": pa.array([{"name": f"n{i}"} for i in range(rows)], pa.struct([("name", pa.string())])),
    }
)
common = dict(row_group_size=110, data_page_size=1024)
pq.write_table(table, out / "snappy-v1.parquet", compression="snappy", data_page_version="1.0", **common)
pq.write_table(table, out / "zstd-v2.parquet", compression="zstd", data_page_version="2.0", **common)
pq.write_table(table, out / "gzip-plain.parquet", compression="gzip", use_dictionary=False, **common)
pq.write_table(
    table,
    out / "none-delta.parquet",
    compression="none",
    use_dictionary=False,
    column_encoding={"content": "DELTA_LENGTH_BYTE_ARRAY", "size": "DELTA_BINARY_PACKED", "stars": "DELTA_BINARY_PACKED"},
    data_page_version="2.0",
    **common,
)
