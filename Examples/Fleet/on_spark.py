#!/usr/bin/env python3
"""Spark: rows of archives by mapInPandas, and Parquet inside zips.

    on_spark.py LIST OUT           as fleet.py, into Parquet that Spark commits as a whole
    on_spark.py --tables DIR       the sum of the column n of all data/*.parquet in the zips there
"""
import os
import sys

import memarchive
import pandas
import pyarrow.parquet
from pyspark.sql import SparkSession, functions

import fleet

SCHEMA = "archive string, name string, size long, sha256 string, type string, error string"


def rows(frames):
    """Runs in a Python worker of Spark's, a forked process that serves many tasks: its template serves them all."""
    for frame in frames:
        found = [row for path in frame["path"] for row in fleet.entries_of(path)]
        # Pandas makes floating point of numbers with gaps.
        yield pandas.DataFrame(found, columns=fleet.SCHEMA.names, dtype=object)


def tables(frames):
    """The tables in archives that Spark has read: Parquet seeks in sealed memory, and no file is written."""
    for frame in frames:
        for content in frame["content"]:
            with memarchive.open(content) as archive, archive.extract(patterns="data/*.parquet") as files:
                for file in files.values():
                    table = pyarrow.parquet.ParquetFile(pyarrow.py_buffer(file.view()))
                    for batch in table.iter_batches():
                        yield batch.to_pandas()


def main(arguments):
    # Local workers are the Python that this is.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # Executors of a cluster get fleet.py by --py-files, and the packages by an image or --archives.
    spark = (
        SparkSession.builder.master(os.environ.get("SPARK_MASTER", "local[2]"))
        # Rows of a batch are held: that of 10,000 by default is many archives.
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", fleet.SHARD)
        .config("spark.executorEnv.MEMARCHIVE_MEMORY", os.environ.get("MEMARCHIVE_MEMORY", "512M"))
        .config("spark.ui.enabled", False)
        .getOrCreate()
    )
    if arguments[0] == "--tables":
        zips = spark.read.format("binaryFile").load(arguments[1])
        frame = zips.select("content").mapInPandas(tables, "n long, word string")
        print(frame.agg(functions.sum("n")).first()[0])
    else:
        # The paths alone are shuffled, several parts for each processor, so that the last one is short.
        paths = spark.read.text(arguments[0]).withColumnRenamed("value", "path").repartition(16)
        paths.mapInPandas(rows, SCHEMA).write.mode("overwrite").parquet(arguments[1])
    spark.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
