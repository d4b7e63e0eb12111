. "$(dirname "$0")/common.sh"
# A virtual environment is a few links that lead out of it.
python3 -m venv --without-pip env
package=$(echo env/lib/python3.*/site-packages)
echo 'word = "a package of the environment"' >"$package/inside.py"
tar -cf env.tar env
rm -r env
"$MA" run env.tar --tree --links keep -- '{env/bin/python}' -c '
import inside, sys
print(inside.word, sys.prefix != sys.base_prefix)'
