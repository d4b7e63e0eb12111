. "$(dirname "$0")/common.sh"
# Wheels are zips: one over the other they are what pip would install.
"$MA" run "$(wheel scipy)" --tree --merge --also "$(wheel numpy)" -- env 'PYTHONPATH={.}' python3 -c '
import numpy, os, scipy.linalg
root = os.environ["MEMARCHIVE_ROOT"] + "/"
assert numpy.__file__.startswith(root) and scipy.__file__.startswith(root)
print("scipy: determinant", round(scipy.linalg.det(numpy.array([[7.0, 1.0], [0.0, 6.0]]))))'
