. "$(dirname "$0")/common.sh"
# Programs and data, each from an archive.
mkdir set
printf 'name,n\nAachen,6\n' >set/a.csv
printf 'name,n\nZwickau,36\n' >set/b.csv
tar -cf set.tar set
rm -r set
"$MA" run "$(wheel duckdb)" --tree --also "$(wheel pyarrow)" --also "$(wheel numpy)" --also set.tar -- \
  env "PYTHONPATH={$(basename "$(wheel duckdb)")}:{$(basename "$(wheel pyarrow)")}:{$(basename "$(wheel numpy)")}" \
  python3 -c '
import sys, duckdb, pyarrow.csv, pyarrow.compute, pyarrow.dataset
table = pyarrow.dataset.dataset(sys.argv[1], format="csv").to_table()
rows = duckdb.sql("select sum(n) from read_csv($1)", params=[sys.argv[1] + "/*.csv"]).fetchall()[0]
print("DuckDB:", rows[0], "pyarrow:", pyarrow.compute.sum(table["n"]))' '{set.tar/set}'
